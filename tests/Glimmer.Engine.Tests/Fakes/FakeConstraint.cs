using Glimmer.Dialogue.Constraints;

namespace Glimmer.Engine.Tests.Fakes;

/// <summary>
/// A language of its own: what may come next is a function of the seed and the tokens so far; often one token only,
/// sometimes anything.
/// </summary>
internal sealed class FakeConstraint(int seed) : ITokenConstraint
{
    private int _state = seed;

    public int Fills { get; private set; }

    public bool FillMask(Span<uint> mask)
    {
        Fills++;
        Random random = new(_state);
        int kind = random.Next(8);
        if (kind == 0)
            return false;
        mask.Clear();
        for (int i = 0; i < (kind < 6 ? 1 : 5); i++)
        {
            int token = random.Next(90);
            mask[token / 32] |= 1u << (token % 32);
        }

        return true;
    }

    public void Accept(int token)
    {
        uint[] mask = new uint[4];
        if (FillMask(mask) && (mask[token / 32] >> (token % 32) & 1) == 0)
            throw new InvalidOperationException($"{token} is not allowed.");
        _state = unchecked(_state * 31 + token * 7919 + 17);
    }
}
