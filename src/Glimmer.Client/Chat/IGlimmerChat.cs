namespace Glimmer.Client;

/// <summary>Something that answers chat requests: a server over HTTP, or an engine in this process.</summary>
public interface IGlimmerChat
{
    /// <summary>Asks and waits for the whole answer.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="cancel">Ends the request.</param>
    /// <exception cref="GlimmerException">The request was refused or failed.</exception>
    Task<Completion> CompleteAsync(CompletionRequest request, CancellationToken cancel = default);

    /// <summary>Asks and reads the answer as it is made. Leaving the loop, or cancelling, ends the generation.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="cancel">Ends the request.</param>
    /// <exception cref="GlimmerException">The request was refused or failed, or the stream broke off before its end.</exception>
    IAsyncEnumerable<CompletionChunk> StreamAsync(CompletionRequest request, CancellationToken cancel = default);
}

/// <summary>What can be done with a stream of chunks.</summary>
public static class CompletionChunks
{
    /// <summary>Reads a stream to its end and makes the answer of it.</summary>
    /// <param name="chunks">The stream.</param>
    /// <param name="cancel">Ends the reading.</param>
    public static async Task<Completion> FoldAsync(this IAsyncEnumerable<CompletionChunk> chunks, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(chunks);
        var builder = new CompletionBuilder();
        await foreach (CompletionChunk chunk in chunks.WithCancellation(cancel).ConfigureAwait(false))
            builder.Add(chunk);
        return builder.Build();
    }
}
