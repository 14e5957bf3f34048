using Microsoft.ML.Moe.Sweeps.Running;
using Microsoft.ML.Moe.Sweeps.Schedule;
using Microsoft.ML.SearchSpace;

namespace Microsoft.ML.Moe.Tests.Sweeps;

/// <summary>What a search space allows, refuses and proposes.</summary>
public sealed class SearchSpaceTests
{
    [Fact]
    public void Values_are_of_the_options_types_and_within_their_bounds()
    {
        var space = SearchSpaces.Empty<Knobs>()
            .Range(o => o.Rate, 1e-4f, 1e-1f, log: true)
            .Range(o => o.Depth, 2, 5)
            .Range(o => o.Count, 1, 64, log: true)
            .Choice(o => o.Name, "a", "b")
            .Fix(o => o.Field, 7);
        Knobs[] made = [.. Enumerable.Range(1, 200).Select(number => Options(space, number))];
        Assert.All(made, o => Assert.InRange(o.Rate, 1e-4f, 1e-1f));
        Assert.Equal([2, 3, 4, 5], made.Select(o => o.Depth!.Value).Distinct().Order());
        Assert.Equal((1, 64), (made.Min(o => o.Count), made.Max(o => o.Count)));
        Assert.Equal(["a", "b"], made.Select(o => o.Name).Distinct().Order());
        Assert.All(made, o => Assert.Equal(7, o.Field));
        // by logarithms each factor of ten has a third of the values
        Assert.InRange(made.Count(o => o.Rate < 1e-3f), 60, 73);
    }

    [Fact]
    public void The_defaults_come_first_then_what_is_to_be_tried_then_points_none_of_them_twice()
    {
        var space = SearchSpaces.Empty<Knobs>().Choice(o => o.Depth, 3, 4, 5).Choice(o => o.Flag, false, true)
            .First(c => c.Set(o => o.Depth, 5))
            .First(c => c.Set(o => o.Depth, 5).Set(o => o.Flag, true));
        var proposals = new Proposals<Knobs>(space, seed: 3);
        List<(int?, bool)> made = [];
        while (proposals[made.Count] is { } values)
            made.Add(space.Create(values) is var o ? (o.Depth, o.Flag) : default);
        Assert.Equal([(null, false), (5, false), (5, true)], made.Take(3));
        // all six combinations, and the defaults, whose depth is none of the choices
        Assert.Equal(7, made.Count);
        Assert.Equal(7, made.Distinct().Count());
    }

    [Fact]
    public void A_portfolio_goes_into_a_space_of_ones_own_and_out_of_one_to_begin_with()
    {
        var own = SearchSpaces.Empty<MoeImageClassificationTrainer.Options>()
            .Range(o => o.LearningRate, 1e-4f, 1e-2f).Choice(o => o.Layers, 0, 1)
            .First(SearchSpaces.Portfolio.Images);
        Assert.Equal(SearchSpaces.Images.Portfolio, own.Portfolio);
        var proposals = new Proposals<MoeImageClassificationTrainer.Options>(own, seed: 3);
        Assert.Equal(0, own.Create(proposals[1]!).Layers);
        Assert.Equal(4e-3f, own.Create(proposals[2]!).LearningRate);

        var bare = own.WithoutPortfolio();
        Assert.Empty(bare.Portfolio);
        Assert.NotEqual(4e-3f, bare.Create(new Proposals<MoeImageClassificationTrainer.Options>(bare, seed: 3)[2]!).LearningRate);
        Refused(
            "Layers is not in the space",
            () => SearchSpaces.Empty<MoeImageClassificationTrainer.Options>().Range(o => o.LearningRate, 1e-4f, 1e-2f)
                .First(SearchSpaces.Portfolio.Images));
    }

    [Fact]
    public void The_same_seed_proposes_the_same_and_another_seed_something_else()
    {
        var space = SearchSpaces.Empty<Knobs>().Range(o => o.Rate, 0f, 1f);
        Assert.Equal(Options(space, 17, seed: 5).Rate, Options(space, 17, seed: 5).Rate);
        Assert.NotEqual(Options(space, 17, seed: 5).Rate, Options(space, 17, seed: 6).Rate);
    }

    [Fact]
    public void Options_of_a_branch_are_set_where_its_condition_holds_and_there_alone()
    {
        var space = SearchSpaces.Empty<Knobs>().Choice(o => o.Name, "deep", "flat")
            .When(o => o.Name == "deep", s => s.Range(o => o.Depth, 3, 9))
            .When(o => o.Name == "flat", s => s.Choice(o => o.Count, 50, 60));
        Knobs[] made = [.. Enumerable.Range(1, 40).Select(number => new Proposals<Knobs>(space, 1)[number] is { } values ? space.Create(values) : null).OfType<Knobs>()];
        Assert.Equal(9, made.Length); // the defaults' name is neither: seven depths and two counts
        Assert.All(made.Where(o => o.Name == "deep"), o => Assert.True(o is { Depth: >= 3, Count: 4 }));
        Assert.All(made.Where(o => o.Name == "flat"), o => Assert.True(o is { Depth: null, Count: 50 or 60 }));
    }

    [Fact]
    public void Attributes_say_a_space_that_can_be_said_anew_once()
    {
        var space = SearchSpaces.FromAttributes<Marked>();
        Assert.Equal(["Flag", "Rate", "Size"], space.Options);
        var narrow = space.Range(o => o.Rate, 0.2, 0.3).Fix(o => o.Flag, true);
        Assert.Equal(["Rate", "Size"], narrow.Options);
        Assert.Equal("Flag: true; Rate: [0.2, 0.3]; Size: {8, 16}", narrow.ToString());
        Assert.Throws<ArgumentException>(() => narrow.Choice(o => o.Rate, 0.25));
    }

    [Fact]
    public void What_is_unknown_empty_or_contradictory_is_refused_where_it_is_said()
    {
        var space = SearchSpaces.Empty<Knobs>().Range(o => o.Rate, 1e-4f, 1e-1f);
        Refused("no option", () => space.Range(o => o.Rate * 2, 0f, 1f));
        Refused("cannot be set", () => space.Fix(o => o.Computed, 1));
        Refused("Rate has been given values already", () => space.Fix(o => o.Rate, 0.1f));
        Refused("Depth is empty: 5 is not below 5", () => space.Range(o => o.Depth, 5, 5));
        Refused("begin over 0", () => space.Range(o => o.Depth, 0, 5, log: true));
        Refused("has no ranges", () => space.Range(o => o.Name, "a", "b"));
        Refused("nothing to choose from for Name", () => space.Choice(o => o.Name));
        Refused("a is there twice", () => space.Choice(o => o.Name, "a", "a"));
        Refused("needs numbers, not NaN", () => SearchSpaces.Empty<Knobs>().Range(o => o.Rate, 0f, float.NaN));
        Refused("Depth, which is the same in all trials", () => space.When(o => o.Depth == 3, s => s.Choice(o => o.Count, 1, 2)));
        Refused("reads no option", () => space.When(o => true, s => s.Choice(o => o.Count, 1, 2)));
        Refused("Rate has been given values already", () => space.When(o => o.Rate > 0.01f, s => s.Choice(o => o.Rate, 1, 2)));
        Refused("Depth is not in the space", () => space.First(c => c.Set(o => o.Depth, 3)));
        Refused("Rate = 0.5 is not in the space", () => space.First(c => c.Set(o => o.Rate, 0.5f)));
    }

    [Fact]
    public void A_sweep_refuses_values_that_the_trainer_refuses()
    {
        var ml = new MLContext(1);
        var space = SearchSpaces.Empty<MoeRegressionTrainer.Options>().Range(o => o.Dropout, 0f, 1.5f);
        var error = Assert.Throws<ArgumentException>(() => ml.Regression.Trainers.Sweep(space, (own, o) => own.Regression.Trainers.MoeRegressor(o)));
        Assert.Contains("The search space has Dropout = 1.5", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Spaces_to_begin_with_propose_options_that_their_trainers_take()
    {
        Check(SearchSpaces.Text);
        Check(SearchSpaces.Images);
        Check(SearchSpaces.Tables);
        Check(SearchSpaces.BinaryTables);
        Check(SearchSpaces.RegressionTables);

        static void Check<T>(SearchSpace<T> space)
            where T : MoeTrainerOptions, new()
        {
            Assert.True(space.Options.Count >= 4);
            var defaults = space.Create(new Proposals<T>(space, 1)[0]!);
            Assert.Equal(new T().LearningRate, defaults.LearningRate);
            for (var number = 0; number < 50; number++)
                Options(space, number).Validate();
        }
    }

    [Fact]
    public void Scrambled_points_fill_every_part_of_every_dimension_evenly()
    {
        const int Dimensions = 12;
        var points = new ScrambledPoints(Dimensions, seed: 9);
        double[][] made = [.. Enumerable.Range(0, 2 * 37).Select(number => points[number])];
        for (var dimension = 0; dimension < Dimensions; dimension++)
        {
            double[] values = [.. made.Select(point => point[dimension])];
            Assert.All(values, value => Assert.InRange(value, 0, Math.BitDecrement(1)));
            Assert.Equal(values.Length, values.Distinct().Count());
            for (var part = 0; part < 8; part++)
                Assert.InRange(values.Count(value => (int)(value * 8) == part), 5, 14);
        }
    }

    private static T Options<T>(SearchSpace<T> space, int number, int seed = 1)
        where T : class, new() => space.Create(new Proposals<T>(space, seed)[number]!);

    private static void Refused(string message, Action act) =>
        Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(act).Message, StringComparison.Ordinal);

    internal sealed class Knobs
    {
#pragma warning disable CA1051 // ML.NET's own options are fields
        public int Field = 1;
#pragma warning restore CA1051

        public float Rate { get; set; } = 1e-3f;

        public int? Depth { get; set; }

        public int Count { get; set; } = 4;

        public string Name { get; set; } = "none";

        public bool Flag { get; set; }

        public int Computed => Count + 1;
    }

    internal sealed class Marked
    {
        [Range(0.1, 0.9)]
        public double Rate { get; set; } = 0.5;

        [Choice(8, 16)]
        public int Size { get; set; } = 8;

        [BooleanChoice]
        public bool Flag { get; set; }

        public int Other { get; set; }
    }
}
