namespace Samples.Tests;

public sealed class ReferencePacksTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_newest_version_of_each_pack_is_read_and_a_file_in_both_once()
    {
        const string Core = "packs/Microsoft.NETCore.App.Ref", Web = "packs/Microsoft.AspNetCore.App.Ref";
        _folder.Write($"{Core}/9.0.9/ref/net9.0/System.Runtime.xml", "");
        _folder.Write($"{Core}/10.0.0-rc.1.25451.107/ref/net10.0/System.Runtime.xml", "");
        var runtime = _folder.Write($"{Core}/10.0.0/ref/net10.0/System.Runtime.xml", "");
        _folder.Write($"{Core}/10.0.0/ref/net10.0/System.Runtime.dll", "");
        _folder.Write($"{Web}/10.0.0/ref/net10.0/System.Runtime.xml", "");
        var mvc = _folder.Write($"{Web}/10.0.0/ref/net10.0/Microsoft.AspNetCore.Mvc.xml", "");
        _folder.Write("packs/Microsoft.WindowsDesktop.App.Ref/10.0.0/ref/net10.0/WPF.xml", "");
        Assert.Equal([mvc, runtime], ReferencePacks.DocumentationFiles(_folder.Path));
    }

    [Fact]
    public void A_folder_without_packs_gives_no_files() => Assert.Empty(ReferencePacks.DocumentationFiles(_folder.Path));

    [Fact]
    public void The_SDK_that_runs_this_has_documentation() => Assert.True(ReferencePacks.DocumentationFiles().Count > 100);
}
