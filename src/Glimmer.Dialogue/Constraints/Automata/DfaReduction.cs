namespace Glimmer.Dialogue.Constraints.Automata;

/// <summary>Trimming and merging of raw transition tables.</summary>
internal static class DfaReduction
{
    /// <summary>Past this size states are not merged: the refinement below is quadratic at worst.</summary>
    private const int LargestMinimised = 400;

    /// <summary>The states from which an accepting one can be reached.</summary>
    public static bool[] FindLive(int[] next, bool[] accepting, int classes)
    {
        int states = accepting.Length;
        List<int>[] previous = new List<int>[states];
        for (int s = 0; s < states; s++)
            previous[s] = [];
        for (int s = 0; s < states; s++)
        {
            int last = -1;
            for (int c = 0; c < classes; c++)
            {
                int target = next[(s * classes) + c];
                if (target >= 0 && target != last)
                    previous[target].Add(s);
                last = target;
            }
        }

        bool[] live = (bool[])accepting.Clone();
        Stack<int> work = new();
        for (int s = 0; s < states; s++)
        {
            if (live[s])
                work.Push(s);
        }

        while (work.TryPop(out int s))
        {
            foreach (int p in previous[s])
            {
                if (!live[p])
                {
                    live[p] = true;
                    work.Push(p);
                }
            }
        }

        return live;
    }

    /// <summary>A block number per state such that states of one block accept the same texts (Moore's refinement).</summary>
    public static int[] Minimise(int[] next, bool[] accepting, int classes, bool[] live)
    {
        int states = accepting.Length;
        int[] block = new int[states];
        if (states > LargestMinimised)
        {
            for (int s = 0; s < states; s++)
                block[s] = s;
            return block;
        }

        for (int s = 0; s < states; s++)
            block[s] = accepting[s] ? 1 : 0;
        int count = 0;
        while (true)
        {
            Dictionary<RowKey, int> blocks = new(states);
            int[] refined = new int[states];
            for (int s = 0; s < states; s++)
            {
                int[] row = new int[classes + 1];
                row[0] = live[s] ? block[s] : -1;
                for (int c = 0; c < classes; c++)
                {
                    int target = next[(s * classes) + c];
                    row[c + 1] = target < 0 || !live[target] ? -1 : block[target];
                }

                RowKey key = new(row);
                if (!blocks.TryGetValue(key, out int number))
                {
                    number = blocks.Count;
                    blocks.Add(key, number);
                }

                refined[s] = number;
            }

            block = refined;
            if (blocks.Count == count)
                return block;
            count = blocks.Count;
        }
    }
}

/// <summary>An integer array compared by its content, for use as a dictionary key.</summary>
internal readonly struct RowKey : IEquatable<RowKey>
{
    private readonly int[] _values;
    private readonly int _hash;

    public RowKey(int[] values)
    {
        _values = values;
        HashCode hash = new();
        hash.AddBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(values));
        _hash = hash.ToHashCode();
    }

    public bool Equals(RowKey other) => _hash == other._hash && _values.AsSpan().SequenceEqual(other._values);

    public override bool Equals(object? obj) => obj is RowKey other && Equals(other);

    public override int GetHashCode() => _hash;
}
