// Asks one question and prints the answer with what it cost.
//   ZAI_API_KEY=… ZAI_BASE_URL=http://127.0.0.1:8080/api/paas/v4 dotnet run --project samples/Glimmer.Samples.Chat -- "Why is the sky blue?"
using Glimmer.Client;

string question = args.Length > 0 ? string.Join(' ', args) : "Say hello.";
string model = Environment.GetEnvironmentVariable("ZAI_MODEL") ?? "glm-4.7";
try
{
    using var client = new GlimmerClient();
    Completion answer = await client.Chat.CompleteAsync(new CompletionRequest { Model = model, Messages = [Message.User(question)], MaxTokens = 200 });
    Console.WriteLine(answer.Text);
    Console.WriteLine($"[{answer.Model}: {answer.Usage?.PromptTokens} + {answer.Usage?.CompletionTokens} tokens, {answer.FinishReason}]");
    return 0;
}
catch (Exception fault) when (fault is GlimmerException or ArgumentException)
{
    Console.Error.WriteLine(fault.Message);
    return 1;
}
