using Glimmer.Models.Weights;

namespace Glimmer.Compare.Measures;

/// <summary>Bytes of weights that decoding one token reads.</summary>
internal static class WeightBytes
{
    /// <summary>All matrices but the token table, of which one row counts; of routed experts only those that are used.</summary>
    public static double PerToken(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        string architecture = file.Architecture;
        double used = file.Metadata.FindInt32(architecture + ".expert_used_count") ?? 1, experts = file.Metadata.FindInt32(architecture + ".expert_count") ?? 1;
        double bytes = 0;
        bool tied = !file.TryGet("output.weight", out _);
        foreach (string name in file.Names)
        {
            if (!file.TryGet(name, out StoredTensor? tensor))
                continue;
            double size = tensor.ByteLength;
            if (name.Contains("_exps.", StringComparison.Ordinal))
                size *= used / Math.Max(1, experts);
            if (tied || name != "token_embd.weight")
                bytes += size;
        }

        return bytes;
    }
}
