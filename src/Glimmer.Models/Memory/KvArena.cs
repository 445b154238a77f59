using System.Runtime.InteropServices;

namespace Glimmer.Models.Memory;

/// <summary>
/// The memory of the KV cache: fixed pages of <see cref="PageTokens"/> tokens, each with room for all planes of the
/// layout, and slots for recurrent state. It stores; who owns which page is the engine's business.
/// </summary>
public sealed unsafe class KvArena : IDisposable
{
    private readonly int[] _planeOffset;
    private readonly long _pageWidth;
    private float* _pages;
    private float* _states;

    /// <summary>Reserves the memory; the operating system commits it when first touched.</summary>
    /// <param name="layout">What one token and one sequence need.</param>
    /// <param name="pages">Number of pages, at least 1.</param>
    /// <param name="pageTokens">Tokens per page, at least 1.</param>
    /// <param name="stateSlots">Sequences that can hold recurrent state at once.</param>
    public KvArena(KvLayout layout, int pages, int pageTokens, int stateSlots)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pages, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(pageTokens, 1);
        Layout = layout;
        Pages = pages;
        PageTokens = pageTokens;
        StateSlots = layout.StateWidth == 0 ? 0 : stateSlots;
        _planeOffset = new int[layout.Planes.Count];
        int offset = 0;
        for (int i = 0; i < _planeOffset.Length; i++)
        {
            _planeOffset[i] = offset;
            offset += layout.Planes[i].Width * pageTokens;
        }

        _pageWidth = offset;
        _pages = (float*)NativeMemory.AllocZeroed((nuint)(_pageWidth * pages), sizeof(float));
        if (StateSlots > 0)
            _states = (float*)NativeMemory.AllocZeroed((nuint)((long)layout.StateWidth * StateSlots), sizeof(float));
    }

    /// <summary>What is stored.</summary>
    public KvLayout Layout { get; }

    /// <summary>Number of pages.</summary>
    public int Pages { get; }

    /// <summary>Tokens per page.</summary>
    public int PageTokens { get; }

    /// <summary>Slots for recurrent state.</summary>
    public int StateSlots { get; }

    /// <summary>Bytes reserved.</summary>
    public long Bytes => (_pageWidth * Pages + (long)Layout.StateWidth * StateSlots) * sizeof(float);

    /// <summary>Numbers from one page to the next.</summary>
    public long PageStride => _pageWidth;

    /// <summary>First number of a plane's rows in a page; row t of the page starts at t·width.</summary>
    public float* Rows(int plane, int page) => _pages + page * _pageWidth + _planeOffset[plane];

    /// <summary>All rows of a page as bytes, to be stored elsewhere and brought back as they are.</summary>
    public Span<byte> PageMemory(int page) => new(_pages + page * _pageWidth, checked((int)(_pageWidth * sizeof(float))));

    /// <summary>The recurrent state of a slot, <see cref="KvLayout.StateWidth"/> numbers.</summary>
    public float* State(int slot) => _states + (long)slot * Layout.StateWidth;

    /// <summary>Copies the first <paramref name="tokens"/> rows of every plane from one page to another (copy on write).</summary>
    public void CopyPage(int from, int to, int tokens)
    {
        for (int plane = 0; plane < _planeOffset.Length; plane++)
        {
            long bytes = (long)Layout.Planes[plane].Width * tokens * sizeof(float);
            Buffer.MemoryCopy(Rows(plane, from), Rows(plane, to), bytes, bytes);
        }
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_pages);
        NativeMemory.Free(_states);
        _pages = null;
        _states = null;
    }
}
