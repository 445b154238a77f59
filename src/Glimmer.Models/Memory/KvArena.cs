using System.Runtime.InteropServices;
using Glimmer.Kernels;

namespace Glimmer.Models.Memory;

/// <summary>
/// The memory of the KV cache: fixed pages of <see cref="PageTokens"/> tokens, each with room for all planes of the
/// layout, and slots for recurrent state. It stores; who owns which page is the engine's business.
/// </summary>
public sealed unsafe class KvArena : IDisposable
{
    private const int Alignment = 64; // a cache line
    private readonly Plane[] _planes;
    private readonly long _pageBytes;
    private readonly byte* _pages;
    private readonly float* _states;
    private void* _pageMemory;
    private void* _stateMemory;

    /// <summary>Reserves the memory; the operating system commits it when first touched.</summary>
    /// <param name="layout">What one token and one sequence need.</param>
    /// <param name="pages">Number of pages, at least 1.</param>
    /// <param name="pageTokens">Tokens per page, at least 1.</param>
    /// <param name="stateSlots">Sequences that can hold recurrent state at once.</param>
    /// <param name="format">How rows are stored; recurrent state is single precision always.</param>
    public KvArena(KvLayout layout, int pages, int pageTokens, int stateSlots, KvFormat format = KvFormat.F32)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pages, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(pageTokens, 1);
        Layout = layout;
        Pages = pages;
        PageTokens = pageTokens;
        Format = format;
        StateSlots = layout.StateWidth == 0 ? 0 : stateSlots;
        _planes = new Plane[layout.Planes.Count];
        for (int i = 0; i < _planes.Length; i++)
        {
            KvPlane plane = layout.Planes[i];
            KvFormat own = plane.FormatIn(format);
            _planes[i] = new Plane(own, _pageBytes, own.BytesFor(plane.HeadWidth), plane.Heads, plane.HeadWidth);
            _pageBytes += _planes[i].RowBytes * plane.Heads * pageTokens;
        }

        _pageMemory = NativeMemory.AllocZeroed((nuint)checked(_pageBytes * pages + Alignment));
        _pages = (byte*)(((nint)_pageMemory + Alignment - 1) & -Alignment);
        if (StateSlots == 0)
            return;
        _stateMemory = NativeMemory.AllocZeroed((nuint)checked((long)layout.StateWidth * StateSlots * sizeof(float) + Alignment));
        _states = (float*)(((nint)_stateMemory + Alignment - 1) & -Alignment);
    }

    /// <summary>What is stored.</summary>
    public KvLayout Layout { get; }

    /// <summary>Number of pages.</summary>
    public int Pages { get; }

    /// <summary>Tokens per page.</summary>
    public int PageTokens { get; }

    /// <summary>How rows are stored, but for planes that are kept exactly or do not fill its blocks.</summary>
    public KvFormat Format { get; }

    /// <summary>Slots for recurrent state.</summary>
    public int StateSlots { get; }

    /// <summary>Bytes reserved.</summary>
    public long Bytes => _pageBytes * Pages + (long)Layout.StateWidth * StateSlots * sizeof(float);

    /// <summary>A plane of all pages, for attention.</summary>
    public KvRows Rows(int plane)
    {
        Plane p = _planes[plane];
        return new KvRows(_pages + p.Offset, p.Format, PageTokens, _pageBytes, p.RowBytes * PageTokens, p.RowBytes);
    }

    /// <summary>First number of a plane's rows in a page, for planes of one head in single precision; row t of the page starts at t·width.</summary>
    /// <exception cref="InvalidOperationException">The plane has several heads or another format.</exception>
    public float* Rows(int plane, int page)
    {
        if (_planes[plane].Format != KvFormat.F32 || _planes[plane].Heads != 1)
            throw new InvalidOperationException($"Rows of {Layout.Planes[plane].Name} are {_planes[plane].Heads} heads of {_planes[plane].Format}, not one of F32.");
        return (float*)Row(plane, page, 0, 0);
    }

    /// <summary>Stores the row of a token.</summary>
    /// <param name="plane">The plane.</param>
    /// <param name="page">The page.</param>
    /// <param name="token">Row in the page.</param>
    /// <param name="values">Numbers of all heads, one head after the other.</param>
    public void Write(int plane, int page, int token, float* values)
    {
        Plane p = _planes[plane];
        for (int head = 0; head < p.Heads; head++)
            KvRowFormats.Write(p.Format, values + (long)head * p.HeadWidth, Row(plane, page, token, head), p.HeadWidth);
    }

    /// <summary>Reads the row of a token: what was stored, after rounding.</summary>
    /// <inheritdoc cref="Write"/>
    public void Read(int plane, int page, int token, float* values)
    {
        Plane p = _planes[plane];
        for (int head = 0; head < p.Heads; head++)
            KvRowFormats.Read(p.Format, Row(plane, page, token, head), values + (long)head * p.HeadWidth, p.HeadWidth);
    }

    /// <summary>All rows of a page as bytes, to be stored elsewhere and brought back as they are.</summary>
    public Span<byte> PageMemory(int page) => new(_pages + page * _pageBytes, checked((int)_pageBytes));

    /// <summary>The recurrent state of a slot, <see cref="KvLayout.StateWidth"/> numbers.</summary>
    public float* State(int slot) => _states + (long)slot * Layout.StateWidth;

    /// <summary>Copies the first <paramref name="tokens"/> rows of every plane from one page to another (copy on write).</summary>
    public void CopyPage(int from, int to, int tokens)
    {
        for (int plane = 0; plane < _planes.Length; plane++)
        {
            long bytes = _planes[plane].RowBytes * tokens;
            for (int head = 0; head < _planes[plane].Heads; head++)
                Buffer.MemoryCopy(Row(plane, from, 0, head), Row(plane, to, 0, head), bytes, bytes);
        }
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_pageMemory);
        NativeMemory.Free(_stateMemory);
        _pageMemory = null;
        _stateMemory = null;
    }

    private byte* Row(int plane, int page, int token, int head)
    {
        Plane p = _planes[plane];
        return _pages + page * _pageBytes + p.Offset + ((long)head * PageTokens + token) * p.RowBytes;
    }

    private readonly record struct Plane(KvFormat Format, long Offset, long RowBytes, int Heads, int HeadWidth);
}
