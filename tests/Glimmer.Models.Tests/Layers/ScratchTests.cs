using Glimmer.Models.Layers;

namespace Glimmer.Models.Tests.Layers;

public sealed unsafe class ScratchTests
{
    [Fact]
    public void Frames_give_back_in_reverse_order_and_growing_keeps_what_is_taken()
    {
        using Scratch scratch = new();
        Rows kept = scratch.Rows(3, 100);
        kept.Span.Fill(7);
        nint inside;
        using (scratch.Open())
        {
            inside = (nint)scratch.Floats(10);
            scratch.Floats(1 << 20)[(1 << 20) - 1] = 1; // needs another block
        }

        Assert.Equal(inside, (nint)scratch.Floats(10));
        Assert.All(kept.Span.ToArray(), value => Assert.Equal(7, value));
    }

    [Fact]
    public void Settling_joins_the_blocks_so_that_the_next_pass_allocates_nothing()
    {
        using Scratch scratch = new();
        scratch.Floats(100);
        scratch.Floats(1 << 20);
        long bytes = scratch.Bytes;
        scratch.Settle();
        scratch.Floats(100);
        scratch.Floats(1 << 20);
        Assert.Equal(bytes, scratch.Bytes);
        Assert.Equal(0, (nint)scratch.Floats(1) % 64);
    }
}
