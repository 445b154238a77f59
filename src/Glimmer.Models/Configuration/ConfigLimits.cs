namespace Glimmer.Models.Configuration;

/// <summary>
/// Legal ranges of configured sizes. They are far above every published model and low enough that no product of two of
/// them overflows and no list of this length exhausts memory.
/// </summary>
internal static class ConfigLimits
{
    public const int Vocabulary = 1 << 23;
    public const int Hidden = 1 << 17;
    public const int Width = 1 << 20;
    public const int Layers = 1024;
    public const int NextN = 8;
    public const int Heads = 4096;
    public const int HeadDim = 4096;
    public const int Rank = 1 << 15;
    public const int Experts = 1 << 14;
    public const int Context = 1 << 30;
    public const int TopK = 1 << 20;
    public const double ThetaMin = 1;
    public const double ThetaMax = 1e15;
    public const double EpsilonMin = 1e-12;
    public const double EpsilonMax = 0.1;
}
