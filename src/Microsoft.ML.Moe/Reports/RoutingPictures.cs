using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Reports;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe;

/// <summary>What <see cref="MoeImageClassificationTransformer.DrawRouting"/> draws.</summary>
public sealed class RoutingPicturesOptions
{
    /// <summary>Images that are drawn, the first of the table, within [1, 1000]. Default 8.</summary>
    public int Images { get; set; } = 8;

    /// <summary>
    /// Routers side by side; null for Token Choice, Expert Choice and Unified with one expert a patch, as in figure 1 of USMoE (arXiv
    /// 2503.22996). Default null.
    /// </summary>
    public IReadOnlyList<Router>? Routers { get; set; }

    /// <summary>
    /// Column of masks, as many numbers as an image has pixels where the model reads it, row by row from the top: an object where a number
    /// is over 0.5. With it is measured how well experts tell objects from background, and how well those of a network that has not
    /// learned do. Default null: no masks.
    /// </summary>
    public string? MaskColumnName { get; set; }

    /// <summary>Share of a patch's pixels from which it shows an object, within (0, 1]. Default 0.5.</summary>
    public double ObjectShare { get; set; } = 0.5;

    /// <summary>Seed of the network that has not learned. Default 0.</summary>
    public int Seed { get; set; }

    internal void Check()
    {
        OptionCheck.Range(Images, 1, 1000, nameof(Images));
        OptionCheck.Range(ObjectShare, 1e-9, 1, nameof(ObjectShare));
        if (Routers is { Count: 0 } || Routers?.Any(router => router is null) == true)
            throw new ArgumentException($"{nameof(Routers)} holds no router; null stands for the three of USMoE's figure.", nameof(Routers));
    }
}

/// <summary>How well the experts of a layer tell objects from background.</summary>
/// <param name="Router">The router.</param>
/// <param name="Block">Number of the block, from 0.</param>
/// <param name="Trained">
/// Adjusted mutual information of a patch's expert with whether it shows an object, of all images of the table: 0 by chance, 1 where each
/// tells the other.
/// </param>
/// <param name="Untrained">The same of a network of random weights: colours alone make some of it.</param>
/// <param name="TrainedWithinImages">
/// The same within an image, as the mean over images that show both: which experts see the object may differ from image to image. NaN where none does.
/// </param>
/// <param name="UntrainedWithinImages">The same of a network of random weights.</param>
public sealed record ObjectSeparation(
    Router Router, int Block, double Trained, double Untrained, double TrainedWithinImages, double UntrainedWithinImages);

/// <summary>
/// Images with their patches coloured by the experts that they went to, routers side by side, layer by layer. Made by
/// <see cref="MoeImageClassificationTransformer.DrawRouting"/>.
/// </summary>
public sealed class RoutingPictures
{
    private readonly IReadOnlyList<PatchExperts> _experts;
    private readonly IReadOnlyList<PatchPicture> _pictures;

    internal RoutingPictures(
        IReadOnlyList<PatchExperts> experts, IReadOnlyList<PatchPicture> pictures, int expertCount, IReadOnlyList<ObjectSeparation> separations) =>
        (_experts, _pictures, Experts, Separations) = (experts, pictures, expertCount, separations);

    /// <summary>Number of images.</summary>
    public int Images => _pictures.Count;

    /// <summary>Experts in each layer.</summary>
    public int Experts { get; }

    /// <summary>The routers, from left to right.</summary>
    public IReadOnlyList<Router> Routers => [.. _experts.Select(experts => experts.Router)];

    /// <summary>Numbers of the blocks with a MoE layer, from 0.</summary>
    public IReadOnlyList<int> Blocks => _experts[0].Blocks;

    /// <summary>How well experts tell objects from background; empty without masks.</summary>
    public IReadOnlyList<ObjectSeparation> Separations { get; }

    /// <summary>The expert of each patch of an image, row by row; −1 for a patch that none took.</summary>
    /// <param name="router">Number of the router.</param>
    /// <param name="layer">Number of the layer, in the order of <see cref="Blocks"/>.</param>
    /// <param name="image">Number of the image.</param>
    public IReadOnlyList<int> ExpertsOf(int router, int layer, int image) => _experts[router].ExpertOf[layer][image];

    /// <summary>An image as a PNG file, as it is.</summary>
    /// <param name="image">Number of the image.</param>
    /// <exception cref="InvalidOperationException">The native part of SkiaSharp is missing.</exception>
    public byte[] ToPng(int image) => _pictures[image].Draw(null, Experts);

    /// <summary>An image as a PNG file, its patches coloured by their experts; a patch that none took is as it was.</summary>
    /// <param name="router">Number of the router.</param>
    /// <param name="layer">Number of the layer, in the order of <see cref="Blocks"/>.</param>
    /// <param name="image">Number of the image.</param>
    /// <exception cref="InvalidOperationException">The native part of SkiaSharp is missing.</exception>
    public byte[] ToPng(int router, int layer, int image) => _pictures[image].Draw(_experts[router].ExpertOf[layer][image], Experts);

    /// <summary>Writes all pictures into a folder: <c>image-1.png</c>, <c>image-1-block-0-TokenChoice.png</c> and so on.</summary>
    /// <param name="folder">Path of the folder; made if it is not there. Files of the same names are replaced.</param>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public void SavePng(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        Directory.CreateDirectory(folder);
        for (var image = 0; image < Images; image++)
        {
            Write(FormattableString.Invariant($"image-{image + 1}.png"), ToPng(image));
            for (var layer = 0; layer < Blocks.Count; layer++)
                for (var router = 0; router < _experts.Count; router++)
                    Write(FormattableString.Invariant($"image-{image + 1}-block-{Blocks[layer]}-{NameOf(router)}.png"), ToPng(router, layer, image));
        }

        void Write(string name, byte[] png) => AtomicFile.Write(Path.Combine(folder, name), stream => stream.Write(png));
    }

    /// <summary>All pictures as one HTML page. It needs nothing else, no network either, and runs no script.</summary>
    public string ToHtml()
    {
        var html = new HtmlWriter();
        html.Raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.Raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n");
        html.Raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n");
        html.Raw("<title>Experts of patches</title>\n<style>\nbody{font-family:sans-serif;margin:1rem}table{border-collapse:collapse}");
        html.Raw("th,td{padding:.3rem;text-align:center;font-weight:normal}img{image-rendering:pixelated}\n</style>\n</head>\n<body>\n");
        html.Line($"<h1>Experts of patches</h1><p>Each patch has the colour of the expert that it went to, of several the one that its router scores highest; a patch that none took is as it was.</p>");
        foreach (var (layer, block) in Blocks.Index())
        {
            html.Line($"<h2>Block {block}</h2><table><tr><th>image</th>");
            foreach (var router in Routers)
                html.Line($"<th>{router}</th>");
            html.Raw("</tr>\n");
            for (var image = 0; image < Images; image++)
            {
                html.Raw("<tr><td>" + Picture(ToPng(image)));
                for (var router = 0; router < _experts.Count; router++)
                    html.Raw("</td><td>" + Picture(ToPng(router, layer, image)));
                html.Raw("</td></tr>\n");
            }

            html.Raw("</table>\n");
        }

        WriteSeparations(html);
        html.Raw("</body>\n</html>\n");
        return html.ToString();
    }

    /// <summary>Writes the page of <see cref="ToHtml"/>; a file that is there is replaced when the new one is complete.</summary>
    /// <param name="path">Path of the file.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void SaveHtml(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var page = ToHtml();
        PageFrame.Save(path, page);
    }

    private string NameOf(int router)
    {
        var kind = Routers[router].Kind.ToString();
        return Routers.Count(other => other.Kind == Routers[router].Kind) == 1 ? kind : FormattableString.Invariant($"{kind}-{router + 1}");
    }

    private static string Picture(byte[] png) => $"<img alt=\"\" src=\"data:image/png;base64,{Convert.ToBase64String(png)}\">";

    private void WriteSeparations(HtmlWriter html)
    {
        if (Separations.Count == 0)
            return;
        html.Raw("<h2>Objects and background</h2>\n<p>Adjusted mutual information of a patch's expert with whether it shows an object, of all images together and ");
        html.Raw("within an image, of a network that has learned and of one that has not.</p>\n<table><tr><th>block</th><th>router</th><th>trained</th>");
        html.Raw("<th>untrained</th><th>within an image, trained</th><th>untrained</th></tr>\n");
        foreach (var s in Separations)
        {
            html.Line($"<tr><td>{s.Block}</td><td>{s.Router}</td>");
            foreach (var value in (double[])[s.Trained, s.Untrained, s.TrainedWithinImages, s.UntrainedWithinImages])
                html.Line($"<td>{value.ToString("F3", CultureInfo.InvariantCulture)}</td>");
            html.Raw("</tr>\n");
        }

        html.Raw("</table>\n");
    }
}
