// Runs a model in this process and asks it through the client's interface: no server, no socket.
//   dotnet run --project samples/Glimmer.Samples.InProcess -- models/glimmer-tiny "Say hello."
using Glimmer.Client;
using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Inference.Embedded;
using Glimmer.Server.InProcess;

if (args.Length == 0)
{
    Console.Error.WriteLine("Give the folder or file of a model, and a question.");
    return 2;
}

try
{
    await using var backend = new EmbeddedChatBackend(ModelPackage.Load(args[0]), new EngineOptions { KvBytes = 64 << 20, Threads = 2 });
    IGlimmerChat chat = new InProcessChat(backend);
    var request = new CompletionRequest
    {
        Model = backend.Models[0],
        Messages = [Message.User(args.Length > 1 ? string.Join(' ', args[1..]) : "Say hello.")],
        MaxTokens = 64,
        DoSample = false,
    };
    await foreach (CompletionChunk chunk in chat.StreamAsync(request))
        Console.Write(chunk.Reasoning + chunk.Content);
    Console.WriteLine();
    return 0;
}
catch (Exception fault) when (fault is GlimmerException or IOException or InvalidDataException)
{
    Console.Error.WriteLine(fault.Message);
    return 1;
}
