using System.Diagnostics;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>ONNX's own checker, of the package python3-onnx, takes the files, types and shapes included.</summary>
public sealed class CheckerTests : IDisposable
{
    private const string Missing = "There is no python3 with the package onnx: install python3-onnx.";

    private readonly ManagedEngine _engine = new(1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        _engine.Dispose();
    }

    [SkippableTheory]
    [InlineData(RouterKind.TokenChoice, null)]
    [InlineData(RouterKind.TokenChoice, true)]
    [InlineData(RouterKind.ExpertChoice, null)]
    [InlineData(RouterKind.Unified, null)]
    [InlineData(RouterKind.Soft, null)]
    public void The_checker_finds_nothing(RouterKind kind, bool? externalData)
    {
        Skip.IfNot(HasChecker, Missing);
        var input = TableTextInput.Create(new TextInputConfig { HashBits = 9, MaximumTokens = 16 });
        var router = kind switch
        {
            RouterKind.TokenChoice => Router.TokenChoice(2) with { CapacityFactor = 1.25 },
            RouterKind.ExpertChoice => Router.ExpertChoice(1.5),
            RouterKind.Unified => Router.Unified(1.5),
            _ => Router.Soft(),
        };
        var model = new Model<EncodedText>(
            _engine,
            new ModelConfig
            {
                Input = input.Config,
                Encoder = new EncoderConfig { Width = 16, Layers = 1, Heads = 2, Experts = 4, ExpertWidth = 16, Router = router },
                Head = new ClassesHeadConfig { Classes = 3 },
            },
            input,
            new ParameterStore(_engine, seed: 3));
        AssertChecked(model, new OnnxOptions { ExternalData = externalData });
    }

    [SkippableTheory]
    [InlineData("table of classes")]
    [InlineData("table of yes and no")]
    [InlineData("table of numbers")]
    [InlineData("images")]
    [InlineData("embedder")]
    [InlineData("linear branch")]
    [InlineData("com.microsoft")]
    public void The_checker_finds_nothing_in_other_models(string kind)
    {
        Skip.IfNot(HasChecker, Missing);
        switch (kind)
        {
            case "images":
                AssertChecked(SmallModels.Patches(_engine, Router.Unified(1.5)));
                break;
            case "embedder":
                AssertChecked(SmallModels.Embedder(_engine, _folder["encoder"]).Model);
                break;
            case "linear branch":
                var trainer = new TextClassifierTrainer(ToyTable.Config(epochs: 1), 3, _engine);
                AssertChecked(
                    trainer.Train(ToyTable.Encoded(trainer.Input, 90, seed: 1)), new OnnxOptions { LinearBranch = OnnxLinearBranch.AsInput });
                break;
            case "com.microsoft":
                AssertChecked(SmallModels.Patches(_engine, Router.TokenChoice(2)), new OnnxOptions { Operators = OnnxOperators.Microsoft });
                break;
            default:
                AssertChecked(SmallModels.Table(_engine, kind switch
                {
                    "table of classes" => new MemberClassesHeadConfig { Classes = 3, Members = SmallModels.Members },
                    "table of yes and no" => new BinaryHeadConfig { Members = SmallModels.Members },
                    _ => new ValueHeadConfig { Members = SmallModels.Members, Mean = 1, Deviation = 2 },
                }));
                break;
        }
    }

    [SkippableFact]
    public void The_checker_finds_what_is_wrong()
    {
        Skip.IfNot(HasChecker, Missing);
        File.WriteAllBytes(_folder["wrong.onnx"], [8, 8, 58, 2, 18, 0]);
        Assert.NotEqual("", Check(_folder["wrong.onnx"]));
    }

    private void AssertChecked<TRow>(Model<TRow> model, OnnxOptions? options = null)
    {
        OnnxExport.Save(model, _folder["model.onnx"], options);
        Assert.Equal("", Check(_folder["model.onnx"]));
    }

    /// <summary>The first Python that has the package: another one may stand before that of the system.</summary>
    private static string? Python { get; } =
        new[] { "python3", "/usr/bin/python3" }.FirstOrDefault(python => Run(python, "import onnx") == "");

    private static bool HasChecker => Python is not null;

    private static string Check(string path) => Run(Python!, $"import onnx\nonnx.checker.check_model('{path}', full_check=True)");

    /// <summary>Runs a program; what it complains of, or that there is no such Python.</summary>
    private static string Run(string interpreter, string program)
    {
        try
        {
            using var python = Process.Start(new ProcessStartInfo(interpreter, ["-c", program]) { RedirectStandardError = true })!;
            var errors = python.StandardError.ReadToEnd();
            python.WaitForExit();
            return python.ExitCode == 0 ? "" : errors;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return e.Message;
        }
    }
}
