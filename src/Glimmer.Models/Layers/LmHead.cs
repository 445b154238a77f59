namespace Glimmer.Models.Layers;

/// <summary>Final norm and output matrix.</summary>
internal sealed unsafe class LmHead(RmsNorm norm, Linear output)
{
    /// <summary>Rows of logits.</summary>
    public int Vocabulary => output.Outputs;

    /// <summary>Normalises the stream, keeps what the batch wants kept, and computes the logits asked for.</summary>
    public void Apply(ForwardPass pass, ForwardBatch batch, Rows stream, string normName)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        bool every = batch.KeepHidden || pass.Observer is not null;
        Rows normed = default;
        if (every)
        {
            normed = pass.Scratch.Rows(stream.Count, stream.Width);
            norm.Apply(pass, stream, normed);
            pass.Observer?.Observe(normName, normed.Count, normed.Width, normed.Span);
            if (batch.KeepHidden)
                normed.Span.CopyTo(batch.ReserveHidden(stream.Width));
        }

        if (batch.LogitsRows == 0)
            return;
        Rows wanted = pass.Scratch.Rows(batch.LogitsRows, stream.Width);
        Gather(pass, batch, every ? normed : stream, wanted);
        if (!every)
            norm.Apply(pass, wanted, wanted);
        Span<float> logits = batch.ReserveLogits(Vocabulary);
        fixed (float* target = logits)
            output.Apply(pass, wanted, new Rows(target, wanted.Count, Vocabulary));
    }

    private static void Gather(ForwardPass pass, ForwardBatch batch, Rows from, Rows wanted)
    {
        int target = 0;
        for (int c = 0; c < pass.ChunkCount; c++)
        {
            int end = pass.FirstRow(c + 1);
            int start = batch.Chunks[c].Logits switch
            {
                LogitsWanted.All => pass.FirstRow(c),
                LogitsWanted.Last => end - 1,
                _ => end,
            };
            for (int row = start; row < end; row++, target++)
                new ReadOnlySpan<float>(from.Row(row), from.Width).CopyTo(new Span<float>(wanted.Row(target), wanted.Width));
        }
    }
}
