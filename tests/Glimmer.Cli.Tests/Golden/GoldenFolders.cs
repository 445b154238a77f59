using System.Text;
using System.Text.Json;
using Glimmer.Cli.Golden;

namespace Glimmer.Cli.Tests.Golden;

/// <summary>Runs an area over a folder as it is, or with one expected tensor damaged.</summary>
internal static class GoldenFolders
{
    public static void AllPass(IGoldenArea area, string folder)
    {
        Assert.True(area.Recognises(folder));
        GoldenCheck[] checks = [.. area.Run(folder, CancellationToken.None)];
        Assert.NotEmpty(checks);
        Assert.All(checks, check => Assert.True(check.Passed, $"{check.Name}: {check.Difference:g3} > {check.Allowed:g3}; {check.Detail}"));
    }

    public static void DamageIsReported(IGoldenArea area, string folder, string tensor, string expectations = "expect.safetensors")
    {
        DirectoryInfo copy = Directory.CreateTempSubdirectory("glimmer-golden-");
        try
        {
            foreach (string file in Directory.GetFiles(folder))
                File.Copy(file, Path.Combine(copy.FullName, Path.GetFileName(file)));
            Damage(Path.Combine(copy.FullName, expectations), tensor);
            GoldenCheck[] failed = [.. area.Run(copy.FullName, CancellationToken.None).Where(check => !check.Passed)];
            Assert.NotEmpty(failed);
            Assert.All(failed, check => Assert.Contains(tensor.Split('.')[0], check.Name, StringComparison.Ordinal));
        }
        finally
        {
            copy.Delete(recursive: true);
        }
    }

    // Replaces the tensor's first number by 3, in whatever type it is stored.
    private static void Damage(string file, string tensor)
    {
        byte[] bytes = File.ReadAllBytes(file);
        int header = checked((int)BitConverter.ToInt64(bytes));
        using JsonDocument document = JsonDocument.Parse(bytes.AsMemory(8, header));
        JsonElement entry = document.RootElement.GetProperty(tensor);
        int start = 8 + header + entry.GetProperty("data_offsets")[0].GetInt32();
        byte[] value = entry.GetProperty("dtype").GetString() switch
        {
            "I64" => BitConverter.GetBytes(3L),
            "I32" => BitConverter.GetBytes(3),
            "F32" => BitConverter.GetBytes(3f),
            string other => throw new NotSupportedException(other),
            _ => throw new InvalidDataException(Encoding.UTF8.GetString(bytes, 8, header)),
        };
        Assert.False(bytes.AsSpan(start, value.Length).SequenceEqual(value));
        value.CopyTo(bytes, start);
        File.WriteAllBytes(file, bytes);
    }
}
