using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Json;

namespace Glimmer.Server.Rerank;

/// <summary>Scored documents, best first; of equal ones the earlier.</summary>
/// <param name="asked">What was asked.</param>
/// <param name="told">The scores to tell, one per document.</param>
/// <param name="order">The scores that decide the order.</param>
/// <param name="tokens">Tokens of query and documents.</param>
internal sealed class RerankAnswer(RerankRequest asked, IReadOnlyList<double> told, IReadOnlyList<double> order, int tokens)
{
    private readonly int[] _best = [.. Enumerable.Range(0, order.Count).OrderByDescending(i => order[i]).ThenBy(i => i).Take(asked.Top > 0 ? asked.Top : order.Count)];

    /// <summary>Writes the platform's own form. A document is text and comes only when it was asked for.</summary>
    public void WriteNative(IBufferWriter<byte> output, string id, DateTimeOffset now)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        json.WriteNumber("created"u8, now.ToUnixTimeSeconds());
        json.WriteString("id"u8, id);
        json.WriteString("request_id"u8, asked.RequestId ?? id);
        json.WriteStartArray("results"u8);
        foreach (int i in _best)
        {
            json.WriteStartObject();
            json.WriteNumber("index"u8, i);
            json.WriteNumber("relevance_score"u8, told[i]);
            if (asked.ReturnsDocuments)
                json.WriteString("document"u8, asked.Documents[i]);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteUsage(json);
        json.WriteEndObject();
    }

    /// <summary>Writes the form that others share. A document is an object.</summary>
    public void WriteOther(IBufferWriter<byte> output, string id, string model)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        json.WriteString("id"u8, $"rerank-{id}");
        json.WriteString("object"u8, "list"u8);
        json.WriteString("model"u8, model);
        json.WriteStartArray("results"u8);
        foreach (int i in _best)
        {
            json.WriteStartObject();
            json.WriteNumber("index"u8, i);
            json.WriteNumber("relevance_score"u8, told[i]);
            if (asked.ReturnsDocuments)
            {
                json.WriteStartObject("document"u8);
                json.WriteString("text"u8, asked.Documents[i]);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteUsage(json);
        json.WriteEndObject();
    }

    private void WriteUsage(Utf8JsonWriter json)
    {
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, tokens);
        json.WriteNumber("total_tokens"u8, tokens);
        json.WriteEndObject();
    }
}
