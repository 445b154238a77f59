namespace Glimmer.Models.Layers;

/// <summary>Choosing the largest of many numbers.</summary>
internal static unsafe class TopK
{
    /// <summary>
    /// Writes the indices of the <paramref name="k"/> largest, ascending; of equals the lower ones. −∞ is chosen only when
    /// nothing else is left.
    /// </summary>
    /// <param name="values">Numbers; NaN counts as smallest.</param>
    /// <param name="count">How many; at least <paramref name="k"/>.</param>
    /// <param name="k">How many to choose.</param>
    /// <param name="scratch">Room for as many numbers.</param>
    /// <param name="indices">Receives k indices.</param>
    public static void Select(float* values, int count, int k, float* scratch, int* indices)
    {
        for (int i = 0; i < count; i++)
            scratch[i] = float.IsNaN(values[i]) ? float.NegativeInfinity : values[i];
        float threshold = KthLargest(scratch, count, k);
        int above = 0;
        for (int i = 0; i < count; i++)
            above += values[i] > threshold ? 1 : 0;
        int equals = k - above, taken = 0;
        for (int i = 0; i < count && taken < k; i++)
        {
            float value = float.IsNaN(values[i]) ? float.NegativeInfinity : values[i];
            if (value > threshold || (value == threshold && equals-- > 0))
                indices[taken++] = i;
        }
    }

    // Quickselect with the median of three; the numbers are reordered.
    private static float KthLargest(float* values, int count, int k)
    {
        int low = 0, high = count - 1, wanted = k - 1;
        while (low < high)
        {
            float pivot = Median(values[low], values[low + (high - low) / 2], values[high]);
            int i = low, j = high;
            while (i <= j)
            {
                while (values[i] > pivot)
                    i++;
                while (values[j] < pivot)
                    j--;
                if (i > j)
                    break;
                (values[i], values[j]) = (values[j], values[i]);
                i++;
                j--;
            }

            if (wanted <= j)
                high = j;
            else if (wanted >= i)
                low = i;
            else
                return values[wanted];
        }

        return values[wanted];
    }

    private static float Median(float a, float b, float c) => Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));
}
