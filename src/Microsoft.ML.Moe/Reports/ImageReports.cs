using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Reports;

/// <summary>Draws what routers do with the patches of a table's images, and measures it against masks.</summary>
internal static class ImageReports
{
    /// <summary>Draws and measures.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">The table's images.</param>
    /// <param name="masks">Of each image the numbers of its mask; null without.</param>
    /// <param name="options">What is drawn.</param>
    /// <exception cref="InvalidOperationException">The model has no MoE layers, there are no rows, or a mask has another size.</exception>
    public static RoutingPictures Of(
        Model<ImagePixels> model, IEnumerable<ImagePixels> rows, IEnumerable<float[]>? masks, RoutingPicturesOptions options)
    {
        model.Config.CheckRoutes();
        var images = (masks is null ? rows.Take(options.Images) : rows).ToList();
        if (images.Count == 0)
            throw new InvalidOperationException("The table has no rows: there is nothing to draw.");
        IReadOnlyList<Router> routers = options.Routers ?? [Router.TokenChoice(1), Router.ExpertChoice(1), Router.Unified(1)];
        var experts = routers.Select(router => PatchExperts.Of(model, router, images)).ToList();
        var grid = ((PatchInput)model.Input).Grid;
        List<ObjectSeparation> separations = masks is null ? [] : Separations(model, images, masks, routers, experts, grid, options);
        var drawn = Math.Min(options.Images, images.Count);
        return new RoutingPictures(
            [.. experts.Select(one => one with { ExpertOf = [.. one.ExpertOf.Select(ofLayer => ofLayer[..drawn])] })],
            [.. images.Take(drawn).Select(image => new PatchPicture(grid, image))],
            model.Experts,
            separations);
    }

    /// <summary>Reads the masks of a table.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The column is missing, or no vector of numbers.</exception>
    public static IEnumerable<float[]> Masks(IDataView data, string name)
    {
        var column = InputColumns.Find(data.Schema, name, "mask");
        return column.Type is VectorDataViewType { ItemType: NumberDataViewType { RawType: var raw } } && raw == typeof(float)
            ? ColumnValues.Read<VBuffer<float>>(data, column).Select(mask => mask.DenseValues().ToArray())
            : throw InputColumns.WrongType(name, "mask", column.Type, "a vector of single-precision numbers, one for each pixel");
    }

    private static List<ObjectSeparation> Separations(
        Model<ImagePixels> model,
        List<ImagePixels> images,
        IEnumerable<float[]> masks,
        IReadOnlyList<Router> routers,
        List<PatchExperts> experts,
        PatchGrid grid,
        RoutingPicturesOptions options)
    {
        var isObject = masks.Select((mask, row) => mask.Length == grid.Input.Width * grid.Input.Height
            ? grid.Showing([.. mask.Select(value => value > 0.5f)], options.ObjectShare)
            : throw new InvalidOperationException(
                $"The mask of row {row + 1} has {mask.Length} numbers, not the {grid.Input.Width * grid.Input.Height} of {grid.Input.Width} × "
                + $"{grid.Input.Height} pixels, as the model reads images.")).ToList();
        var untrained = model.Untrained(options.Seed);
        var ofUntrained = routers.Select(router => PatchExperts.Of(untrained, router, images)).ToList();
        return
        [
            .. experts[0].Blocks.Index().SelectMany(layer => routers.Select((router, r) => new ObjectSeparation(
                router,
                layer.Item,
                experts[r].Separation(layer.Index, isObject),
                ofUntrained[r].Separation(layer.Index, isObject),
                experts[r].SeparationWithinImages(layer.Index, isObject),
                ofUntrained[r].SeparationWithinImages(layer.Index, isObject)))),
        ];
    }
}
