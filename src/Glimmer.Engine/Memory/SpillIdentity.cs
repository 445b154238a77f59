using System.Security.Cryptography;
using System.Text;
using Glimmer.Kernels;
using Glimmer.Models;
using Glimmer.Models.Memory;

namespace Glimmer.Engine.Memory;

/// <summary>What rows in a spill file belong to.</summary>
internal static class SpillIdentity
{
    /// <summary>
    /// A hash of the weights' name, the layout of pages, and the program that computes rows: rows of another build might differ
    /// in their last bits, and an answer must not depend on what came from the file.
    /// </summary>
    public static byte[] Of(string weights, LanguageModel model, KvArena arena)
    {
        StringBuilder text = new();
        text.Append(weights).Append('\n').Append(model.Description).Append('\n');
        foreach (KvPlane plane in arena.Layout.Planes)
            text.Append(plane).Append('\n');
        text.Append(arena.PageTokens).Append(' ').Append(arena.PageMemory(0).Length).Append('\n');
        text.Append(typeof(ThreadTeam).Module.ModuleVersionId).Append(' ').Append(typeof(LanguageModel).Module.ModuleVersionId);
        return SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString()));
    }
}
