// Streams an answer, then lets the model call a function of this program.
//   ZAI_API_KEY=… ZAI_BASE_URL=http://127.0.0.1:8080/api/paas/v4 dotnet run --project samples/Glimmer.Samples.Tools
using Glimmer.Client;

string model = Environment.GetEnvironmentVariable("ZAI_MODEL") ?? "glm-4.7";
var weather = new ToolFunction(
    "get_weather",
    "Tells the weather of a city.",
    new ToolParameters().Text("city", "Name of the city."),
    arguments => $"Sunny and 24 degrees in {arguments["city"]}.");
var request = new CompletionRequest { Model = model, Messages = [Message.User("What is the weather in Rome?")], MaxTokens = 200 };
try
{
    using var client = new GlimmerClient();

    // :: Step 1: as it is made. Reasoning, content and pieces of calls come one after the other.
    await foreach (CompletionChunk chunk in client.Chat.StreamAsync(request with { Tools = [weather.ToTool()], ToolStream = true }))
    {
        Console.Write(chunk.Reasoning);
        Console.Write(chunk.Content);
        foreach (ToolCall piece in chunk.ToolCalls)
            Console.Write(piece.Function?.Name + piece.Function?.Arguments);
    }

    Console.WriteLine();

    // :: Step 2: the calls are run and told, until an answer comes.
    ToolRun run = await client.Chat.RunToolsAsync(request, [weather]);
    Console.WriteLine($"{run.Answer.Text} [{run.Rounds} rounds]");
    return 0;
}
catch (Exception fault) when (fault is GlimmerException or ArgumentException)
{
    Console.Error.WriteLine(fault.Message);
    return 1;
}
