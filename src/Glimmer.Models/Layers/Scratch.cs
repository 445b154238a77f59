using System.Runtime.InteropServices;

namespace Glimmer.Models.Layers;

/// <summary>
/// Memory for the activations of a pass, handed out like a stack: whoever opens a <see cref="Frame"/> gives back on
/// closing it all that was taken since. It grows when a pass needs more than any before and never shrinks, so that a
/// decode step allocates nothing.
/// </summary>
internal sealed unsafe class Scratch : IDisposable
{
    private const long Alignment = 16; // floats: one cache line
    private readonly List<(nint Memory, long Length)> _blocks = [];
    private int _block;
    private long _used;

    /// <summary>Bytes held.</summary>
    public long Bytes => _blocks.Sum(block => block.Length) * sizeof(float);

    /// <summary>Opens a frame; closing it gives back what was taken since.</summary>
    public Frame Open() => new(this, _block, _used);

    /// <summary>Takes room for rows; their content is undefined.</summary>
    public Rows Rows(int count, int width) => new(Floats((long)count * width), count, width);

    /// <summary>Takes room for numbers; their content is undefined.</summary>
    public float* Floats(long length)
    {
        length = (length + Alignment - 1) / Alignment * Alignment;
        while (true)
        {
            if (_block < _blocks.Count)
            {
                (nint memory, long capacity) = _blocks[_block];
                if (_used + length <= capacity)
                {
                    float* taken = (float*)memory + _used;
                    _used += length;
                    return taken;
                }

                if (_block + 1 < _blocks.Count)
                {
                    _block++;
                    _used = 0;
                    continue;
                }
            }

            long last = _blocks.Count == 0 ? 1 << 16 : _blocks[^1].Length;
            long size = Math.Max(length, last * 2);
            _blocks.Add(((nint)NativeMemory.AlignedAlloc((nuint)(size * sizeof(float)), (nuint)(Alignment * sizeof(float))), size));
            _block = _blocks.Count - 1;
            _used = 0;
        }
    }

    /// <summary>Takes room for integers; their content is undefined.</summary>
    public int* Ints(long length) => (int*)Floats(length);

    /// <summary>Joins the blocks into one when the pass before needed several. No frame may be open.</summary>
    public void Settle()
    {
        _block = 0;
        _used = 0;
        if (_blocks.Count <= 1)
            return;
        long total = _blocks.Sum(block => block.Length);
        Free();
        _blocks.Add(((nint)NativeMemory.AlignedAlloc((nuint)(total * sizeof(float)), (nuint)(Alignment * sizeof(float))), total));
    }

    /// <inheritdoc/>
    public void Dispose() => Free();

    private void Free()
    {
        foreach ((nint memory, _) in _blocks)
            NativeMemory.AlignedFree((void*)memory);
        _blocks.Clear();
        _block = 0;
        _used = 0;
    }

    /// <summary>Marks a height of the stack.</summary>
    internal readonly struct Frame(Scratch owner, int block, long used) : IDisposable
    {
        /// <summary>Gives back what was taken since the frame was opened.</summary>
        public void Dispose()
        {
            owner._block = block;
            owner._used = used;
        }
    }
}
