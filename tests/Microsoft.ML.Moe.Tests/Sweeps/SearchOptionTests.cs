using System.Text.Json;
using Microsoft.ML.Moe.Sweeps.Running;

namespace Microsoft.ML.Moe.Tests.Sweeps;

/// <summary>Options for AutoML, as it uses them: properties with attributes, taken through JSON.</summary>
public sealed class SearchOptionTests
{
    [Fact]
    public void Every_property_is_swept_survives_json_and_reaches_the_trainer()
    {
        Check<MoeTextSearchOption>(o => o.ToOptions(textColumnName: "Text"));
        Check<MoeImageSearchOption>(o => o.ToOptions());
        Check<MoeTableSearchOption>(o => o.ToOptions<MoeRegressionTrainer.Options>());
    }

    [Fact]
    public void Defaults_are_those_of_the_trainers()
    {
        Same(new MoeTextSearchOption(), new MoeTextClassificationTrainer.Options());
        Same(new MoeImageSearchOption(), new MoeImageClassificationTrainer.Options());
        Same(new MoeTableSearchOption(), new MoeBinaryClassificationTrainer.Options());
    }

    private static void Check<T>(Func<T, MoeTrainerOptions> toOptions)
        where T : class, new()
    {
        var space = SearchSpaces.FromAttributes<T>();
        Assert.Equal(typeof(T).GetProperties().Select(property => property.Name).Order(StringComparer.Ordinal), space.Options);
        var proposals = new Proposals<T>(space, seed: 3);
        for (var number = 0; number < 20; number++)
        {
            var made = space.Create(proposals[number]!);
            var again = JsonSerializer.Deserialize<T>(JsonSerializer.Serialize(made))!;
            var options = toOptions(again);
            options.Validate();
            Same(made, options);
        }
    }

    private static void Same(object search, MoeTrainerOptions options) => Assert.All(search.GetType().GetProperties(), property =>
        Assert.Equal(property.GetValue(search), options.GetType().GetProperty(property.Name)!.GetValue(options)));
}
