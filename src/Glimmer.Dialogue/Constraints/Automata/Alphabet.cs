namespace Glimmer.Dialogue.Constraints.Automata;

/// <summary>The partition of the code points into classes that a family of sets does not tell apart.</summary>
internal sealed class Alphabet
{
    private Alphabet(int[] starts, int[] classes, int count, List<int>[] classesOfSet)
    {
        IntervalStarts = starts;
        IntervalClasses = classes;
        Count = count;
        ClassesOfSet = classesOfSet;
    }

    public int[] IntervalStarts { get; }

    public int[] IntervalClasses { get; }

    public int Count { get; }

    /// <summary>For each set of the family the classes it is made of.</summary>
    public IReadOnlyList<IReadOnlyList<int>> ClassesOfSet { get; }

    public static Alphabet Of(IReadOnlyList<CodePointSet> sets)
    {
        SortedSet<int> cuts = [0];
        foreach (CodePointSet set in sets)
        {
            foreach (CodePointRange range in set.Ranges)
            {
                cuts.Add(range.First);
                if (range.Last < CodePointSet.MaxCodePoint)
                    cuts.Add(range.Last + 1);
            }
        }

        int[] starts = [.. cuts];

        // The sets that hold each interval, as sorted lists, found by one sweep per set.
        List<int>[] holders = new List<int>[starts.Length];
        for (int i = 0; i < starts.Length; i++)
            holders[i] = [];
        for (int s = 0; s < sets.Count; s++)
        {
            foreach (CodePointRange range in sets[s].Ranges)
            {
                for (int i = Array.BinarySearch(starts, range.First); i < starts.Length && starts[i] <= range.Last; i++)
                    holders[i].Add(s);
            }
        }

        Dictionary<RowKey, int> numbers = [];
        int[] classes = new int[starts.Length];
        List<int>[] ofSet = new List<int>[sets.Count];
        for (int s = 0; s < sets.Count; s++)
            ofSet[s] = [];
        for (int i = 0; i < starts.Length; i++)
        {
            RowKey key = new([.. holders[i]]);
            if (!numbers.TryGetValue(key, out int number))
            {
                number = numbers.Count;
                numbers.Add(key, number);
                foreach (int s in holders[i])
                    ofSet[s].Add(number);
            }

            classes[i] = number;
        }

        return new(starts, classes, numbers.Count, ofSet);
    }
}
