using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace Microsoft.ML.Moe.Tests;

/// <summary>Looks into model zips and changes them.</summary>
internal static class Zip
{
    /// <summary>The files of a zip.</summary>
    public static Dictionary<string, byte[]> Read(byte[] zip)
    {
        using var archive = new ZipArchive(new MemoryStream(zip), ZipArchiveMode.Read);
        return archive.Entries.ToDictionary(e => e.FullName.Replace('\\', '/'), e =>
        {
            using var content = new MemoryStream();
            using var entry = e.Open();
            entry.CopyTo(content);
            return content.ToArray();
        });
    }

    /// <summary>A zip with one of its files replaced, or left out.</summary>
    /// <param name="zip">The zip.</param>
    /// <param name="suffix">End of the file's name.</param>
    /// <param name="change">Gives the new content, or null to leave the file out.</param>
    public static byte[] With(byte[] zip, string suffix, Func<byte[], byte[]?> change)
    {
        var files = Read(zip);
        var name = files.Keys.Single(n => n.EndsWith(suffix, StringComparison.Ordinal));
        using var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var (file, content) in files)
            {
                var changed = file == name ? change(content) : content;
                if (changed is null)
                    continue;
                using var entry = archive.CreateEntry(file).Open();
                entry.Write(changed);
            }

        return stream.ToArray();
    }

    /// <summary>A file of a model as text.</summary>
    public static string Text(byte[] zip, string entry) =>
        Encoding.UTF8.GetString(Read(zip).Single(f => f.Key.EndsWith("/" + entry, StringComparison.Ordinal)).Value);

    /// <summary>Replaces a file of a model, and adjusts its length and digest in Model.key.</summary>
    public static byte[] Forge(byte[] zip, string entry, string content)
    {
        var forged = Encoding.UTF8.GetBytes(content);
        var original = Read(zip).Single(f => f.Key.EndsWith("/" + entry, StringComparison.Ordinal)).Value;
        return With(With(zip, "/" + entry, _ => forged), "/Model.key", key =>
        {
            var digest = key.AsSpan().IndexOf(SHA256.HashData(original));
            Assert.True(digest > 0);
            SHA256.HashData(forged).CopyTo(key, digest);
            BitConverter.GetBytes((long)forged.Length).CopyTo(key, digest - 8);
            return key;
        });
    }

    /// <summary>Loading a model fails, and a message of the exception or of those inside it names the file.</summary>
    /// <param name="name">The file.</param>
    /// <param name="zip">The model.</param>
    public static void AssertLoadingNames(string name, byte[] zip)
    {
        var error = Record.Exception(() => new MLContext().Model.Load(new MemoryStream(zip), out _));
        var messages = new List<string>();
        for (; error is not null; error = error.InnerException)
            messages.Add(error.Message);
        Assert.Contains(messages, m => m.Contains(name, StringComparison.Ordinal));
    }
}
