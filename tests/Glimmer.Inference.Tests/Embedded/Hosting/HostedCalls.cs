using System.Diagnostics;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Embedded.Hosting;

namespace Glimmer.Inference.Tests.Embedded.Hosting;

/// <summary>What the tests of a host do again and again.</summary>
internal static class HostedCalls
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public static Task<ChatStart> AskAsync(this ModelHost host, string code, CancellationToken cancel = default) =>
        host.Backends.First(backend => backend.Models[0] == code).StartAsync(FakeLoader.Request(code), cancel).AsTask();

    /// <summary>Begins an answer that must begin.</summary>
    public static async Task<FakeLoader.FakeAnswer> StartAsync(this ModelHost host, string code)
    {
        ChatStart start = await host.AskAsync(code).WaitAsync(Patience);
        Assert.Null(start.Error);
        return (FakeLoader.FakeAnswer)start.Answer!;
    }

    /// <summary>Asks and lets the answer end.</summary>
    public static async Task UseAsync(this ModelHost host, string code) => (await host.StartAsync(code)).End();

    public static HostedModelStatistics Of(this ModelHost host, string code) => host.Statistics.Models.First(model => model.Code == code);

    public static async Task<string> ReadAsync(this IChatAnswer answer)
    {
        string text = "";
        await foreach (ChatEvent said in answer.ReadAsync(CancellationToken.None))
            text += said.Kind == ChatEventKind.Content ? said.Text : "";
        return text;
    }

    /// <summary>Waits for something that another thread is about to do.</summary>
    public static async Task UntilAsync(Func<bool> holds)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.True(watch.Elapsed < Patience, "it did not happen");
            await Task.Delay(1);
        }
    }
}
