using System.Runtime.Versioning;
using System.Text;
using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tests.Files;

/// <summary>Files that are complete or not there at all.</summary>
public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AFailureLeavesTheOlderFileAndNoDraft()
    {
        Write("model.zip", "old");

        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(_folder["model.zip"], stream =>
        {
            stream.Write("half"u8);
            throw new InvalidOperationException();
        }));

        Assert.Equal("old", File.ReadAllText(_folder["model.zip"]));
        Assert.Equal(["model.zip"], Names());
    }

    [Fact]
    public void TheNextWriterTakesOverTheDraftOfAKilledOne()
    {
        File.WriteAllText(_folder["model.zip" + AtomicFile.DraftSuffix], "a draft that is longer than what follows");

        Write("model.zip", "new");

        Assert.Equal("new", File.ReadAllText(_folder["model.zip"]));
        Assert.Equal(["model.zip"], Names());
    }

    [Fact]
    public void ADraftUnderWayIsNotDisturbed()
    {
        AtomicFile.Write(_folder["model.zip"], stream =>
        {
            stream.Write("first"u8);
            var error = Assert.Throws<IOException>(() => Write("model.zip", "second"));
            Assert.Contains(_folder["model.zip"], error.Message, StringComparison.Ordinal);
        });

        Assert.Equal("first", File.ReadAllText(_folder["model.zip"]));
    }

    [SkippableTheory]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.UserWrite)]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead)]
    [UnsupportedOSPlatform("windows")]
    public void TheModeOfTheReplacedFileStays(UnixFileMode mode)
    {
        Skip.If(OperatingSystem.IsWindows(), "Windows has no file modes.");
        Write("model.zip", "old");
        File.SetUnixFileMode(_folder["model.zip"], mode);

        Write("model.zip", "new");

        Assert.Equal("new", File.ReadAllText(_folder["model.zip"]));
        Assert.Equal(mode, File.GetUnixFileMode(_folder["model.zip"]));
    }

    [Fact]
    public void AReadOnlyFileIsNotReplaced()
    {
        Write("model.zip", "old");
        File.SetAttributes(_folder["model.zip"], FileAttributes.ReadOnly);

        var error = Assert.Throws<UnauthorizedAccessException>(() => Write("model.zip", "new"));

        Assert.Contains("read-only", error.Message, StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(_folder["model.zip"]));
        Assert.Equal(["model.zip"], Names());
        File.SetAttributes(_folder["model.zip"], FileAttributes.Normal);
    }

    [SkippableFact]
    public void ALinkStaysALink()
    {
        Skip.If(OperatingSystem.IsWindows(), "Links take a privilege on Windows.");
        Directory.CreateDirectory(_folder["models"]);
        Write(Path.Combine("models", "current.zip"), "old");
        File.CreateSymbolicLink(_folder["model.zip"], _folder[Path.Combine("models", "current.zip")]);

        Write("model.zip", "new");

        Assert.NotNull(new FileInfo(_folder["model.zip"]).LinkTarget);
        Assert.Equal("new", File.ReadAllText(_folder[Path.Combine("models", "current.zip")]));
    }

    [SkippableFact]
    public void ALinkInPlaceOfTheDraftIsNotFollowed()
    {
        Skip.If(OperatingSystem.IsWindows(), "Links take a privilege on Windows.");
        File.WriteAllText(_folder["other.txt"], "somebody's");
        File.CreateSymbolicLink(_folder["model.zip" + AtomicFile.DraftSuffix], _folder["other.txt"]);

        Write("model.zip", "new");

        Assert.Equal("somebody's", File.ReadAllText(_folder["other.txt"]));
        Assert.Equal("new", File.ReadAllText(_folder["model.zip"]));
    }

    [Fact]
    public void AMissingFolderIsNamed()
    {
        var path = Path.Combine(_folder["nowhere"], "model.zip");

        Assert.Contains(path, Assert.Throws<DirectoryNotFoundException>(() => AtomicFile.Try(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TryingLeavesNothing()
    {
        AtomicFile.Try(_folder["model.zip"]);
        Assert.Empty(Names());
        Write("model.zip", "old");

        AtomicFile.Try(_folder["model.zip"]);

        Assert.Equal("old", File.ReadAllText(_folder["model.zip"]));
        Assert.Equal(["model.zip"], Names());
    }

    private void Write(string name, string text) => AtomicFile.Write(_folder[name], stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    private string[] Names() => [.. Directory.EnumerateFiles(_folder.Path).Select(path => Path.GetFileName(path)).Order()];
}
