using Microsoft.Extensions.AI;

namespace Glimmer.Client;

/// <summary>This library's clients as those of Microsoft.Extensions.AI.</summary>
public static class GlimmerExtensions
{
    /// <summary>A chat as an <see cref="IChatClient"/>, over HTTP or in process.</summary>
    /// <param name="chat">The chat; it stays the caller's.</param>
    /// <param name="model">Model code where the options name none.</param>
    /// <param name="address">Where it is, for its metadata.</param>
    public static IChatClient AsChatClient(this IGlimmerChat chat, string model, Uri? address = null)
    {
        ArgumentNullException.ThrowIfNull(chat);
        ArgumentException.ThrowIfNullOrEmpty(model);
        return new GlimmerChatClient(chat, model, address);
    }

    /// <summary>Embeddings as an <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/>.</summary>
    /// <param name="embeddings">The client; it stays the caller's.</param>
    /// <param name="model">Model code where the options name none.</param>
    public static IEmbeddingGenerator<string, Embedding<float>> AsEmbeddingGenerator(this EmbeddingsClient embeddings, string model)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        ArgumentException.ThrowIfNullOrEmpty(model);
        return new GlimmerEmbeddingGenerator(embeddings, model);
    }
}

/// <summary>Embeddings of this library as the generator of Microsoft.Extensions.AI.</summary>
internal sealed class GlimmerEmbeddingGenerator(EmbeddingsClient embeddings, string model) : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly EmbeddingGeneratorMetadata _metadata = new("glimmer", null, model);

    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        EmbeddingResult result = await embeddings.CreateAsync(
            new EmbeddingRequest { Model = options?.ModelId ?? model, Input = [.. values], Dimensions = options?.Dimensions }, cancellationToken).ConfigureAwait(false);
        return new GeneratedEmbeddings<Embedding<float>>(
            result.Data.OrderBy(static vector => vector.Index).Select(vector => new Embedding<float>(vector.Embedding) { ModelId = result.Model }))
        {
            Usage = ExtensionMapper.Usage(result.Usage),
        };
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        return serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata : serviceType.IsInstanceOfType(embeddings) ? embeddings : serviceType.IsInstanceOfType(this) ? this : null;
    }

    public void Dispose()
    {
        // The client stays its maker's.
    }
}
