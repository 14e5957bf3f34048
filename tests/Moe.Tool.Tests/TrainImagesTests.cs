using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace MoeTool.Tests;

/// <summary>Images from the folder to the report, on small files.</summary>
public class TrainImagesTests : FolderTests
{
    [Fact]
    public void A_model_is_trained_tested_saved_evaluated_used_and_explained()
    {
        var table = "file\tcolour\n";
        for (var i = 0; i < 20; i++)
        {
            WriteBitmap($"photos/red/{i}.bmp", red: 230, blue: (byte)(5 * i));
            WriteBitmap($"photos/blue/{i}.bmp", red: (byte)(5 * i), blue: 230);
            table += $"photos/red/{i}.bmp\tred\nphotos/blue/{i}.bmp\tblue\n";
        }

        var (photos, list, model) = (Path.Combine(Folder, "photos"), Write("list.tsv", table), Path.Combine(Folder, "m.zip"));
        var output = Tool.Run(
            "train-images", "--data", photos, "--size", "8", "--epochs", "6", "--threads", "1", "--model", model, "--report", Path.Combine(Folder, "r.html"));
        var last = output.TrimEnd().Split('\n')[^3..];
        Assert.Matches(@"^Test accuracy: \d+\.\d %\r?$", last[0]);
        Assert.Matches(@"^Test log-loss: \d+\.\d\d\d\r?$", last[1]);
        Assert.Matches(@"^Fit seconds: \d+\r?$", last[2]);

        var ofFolder = Tool.Run("evaluate", "--model", model, "--data", photos);
        var ofTable = Tool.Run("evaluate", "--model", model, "--data", list, "--path", "file", "--label", "colour");
        Assert.Equal(Tool.Number(ofFolder, "Test log-loss"), Tool.Number(ofTable, "Test log-loss"));
        Assert.True(Tool.Number(ofFolder, "Test accuracy", " %") > 90);

        var image = Path.Combine(photos, "red", "1.bmp");
        Assert.Contains($"red\t", Tool.RunWith(image + "\n", "predict", "--model", model).Output, StringComparison.Ordinal);
        Assert.Equal(41, Tool.Run("predict", "--model", model, "--data", list, "--path", "file").TrimEnd().Split('\n').Length);
        Assert.Contains("experts per token", Tool.Run("report", "--model", model, "--data", photos, "--compare"), StringComparison.Ordinal);
        var (code, _, errors) = Tool.RunWith("missing.bmp\n", "predict", "--model", model);
        Assert.Equal((1, "Error: There is no image 'missing.bmp'."), (code, errors.Trim()));
    }

    [Fact]
    public void Training_begins_with_a_published_encoder()
    {
        for (var i = 0; i < 20; i++)
        {
            WriteBitmap($"photos/red/{i}.bmp", red: 230, blue: (byte)(5 * i));
            WriteBitmap($"photos/blue/{i}.bmp", red: (byte)(5 * i), blue: 230);
        }

        var (photos, encoder) = (Path.Combine(Folder, "photos"), Path.Combine(Folder, "encoder"));
        TinyVision.Write(encoder, TinyVision.ResNet);
        string[] training = ["train-images", "--data", photos, "--threads", "1", "--device", "cpu", "--fine-tuning", "none"];
        var output = Tool.Run([.. training, "--encoder", encoder, "--size", "16"]);
        Assert.Contains("The frozen encoder has read", output, StringComparison.Ordinal);
        Assert.True(Tool.Number(output, "Test accuracy", " %") > 90);
        Assert.Contains("choose one with --encoder", Tool.Fail(1, training), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_image_is_named()
    {
        for (var i = 0; i < 4; i++)
        {
            WriteBitmap($"photos/red/{i}.bmp", 230, 0);
            Write($"photos/blue/{i}.bmp", "not an image");
        }

        Assert.Contains("cannot be used", Tool.Fail(1, "train-images", "--data", Path.Combine(Folder, "photos")), StringComparison.Ordinal);
        Assert.Contains("There is no folder", Tool.Fail(1, "train-images", "--data", "missing"), StringComparison.Ordinal);
    }
}
