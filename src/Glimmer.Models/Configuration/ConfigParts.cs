namespace Glimmer.Models.Configuration;

/// <summary>Checks across several fields that hold whatever file they come from.</summary>
internal static class ConfigParts
{
    /// <summary>Key and value heads must divide the query heads.</summary>
    public static void CheckHeads(ConfigFields fields, string key, int heads, int kvHeads)
    {
        if (heads % kvHeads != 0)
            throw fields.Fault(key, (long)kvHeads, $"a divisor of the {heads} attention heads");
    }

    /// <summary>The rotated part: even, at least 2, inside the head.</summary>
    public static void CheckRotation(ConfigFields fields, string key, object value, int dimensions, int headDim)
    {
        if (dimensions < 2 || dimensions > headDim || dimensions % 2 != 0)
            throw fields.Fault(key, value, $"such that an even number of components from 2 to the head's {headDim} is rotated, not {dimensions}");
    }

    /// <summary>Experts, groups and choices must fit each other.</summary>
    public static void CheckExperts(ConfigFields fields, MoeConfig moe, string perTokenKey, string groupsKey, string keptKey)
    {
        if (moe.Experts % moe.Groups != 0)
            throw fields.Fault(groupsKey, (long)moe.Groups, $"a divisor of the {moe.Experts} experts");
        if (moe.GroupsKept > moe.Groups)
            throw fields.Fault(keptKey, (long)moe.GroupsKept, $"from 1 to the {moe.Groups} groups");
        int choosable = moe.Experts / moe.Groups * moe.GroupsKept;
        if (moe.PerToken > choosable)
            throw fields.Fault(perTokenKey, (long)moe.PerToken, $"from 1 to the {choosable} experts that can be chosen");
    }

    /// <summary>Which layers have an indexer of their own, from a frequency and an offset (layer i: max(i−o+1, 0) mod f = 0).</summary>
    public static bool[] IndexerSchedule(int layers, int frequency, int offset)
    {
        bool[] full = new bool[layers];
        for (int i = 0; i < layers; i++)
            full[i] = Math.Max(i - offset + 1, 0) % frequency == 0;
        return full;
    }

    /// <summary>The first layer has nothing to take over.</summary>
    public static IReadOnlyList<bool> CheckSchedule(ConfigFields fields, string key, bool[] full)
    {
        if (!full[0])
            throw fields.Fault(key, "shared", "full for layer 0, which has no earlier layer to share with");
        return full;
    }

    /// <summary>YaRN's factor on cos and sin.</summary>
    public static double YarnMagnitude(double factor, double weight = 1) =>
        factor <= 1 ? 1 : 0.1 * weight * Math.Log(factor) + 1;
}
