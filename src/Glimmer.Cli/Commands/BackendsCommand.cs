using System.CommandLine;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Inference.Routing.Definitions;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer backends</c>: what the backends of a running server do. They live in that process, so it is asked over HTTP.</summary>
internal static class BackendsCommand
{
    private const string Columns = "name state why kind models weight in_flight load latency_ms share requests failures busy failed_over affinity_hits last_error";

    private static readonly Option<string> _url = new("--url") { Description = "Address of the server.", Recursive = true, DefaultValueFactory = _ => "http://127.0.0.1:8080" };
    private static readonly Option<string?> _key = new("--key") { Description = "Key with the operator's right. Default: GLIMMER_API_KEY of the environment.", Recursive = true };
    private static readonly Option<bool> _json = new("--json") { Description = "Print the answer as JSON.", Recursive = true };

    public static Command Create()
    {
        Argument<string> name = new("NAME") { Description = "Name of the backend." };
        Argument<int> weight = new("WEIGHT") { Description = "0 (last resort) to 1000." };
        Argument<string> file = new("FILE") { Description = "YAML file of backends (docs/backends.md)." };
        Command family = new("backends", "Show and steer the backends of a running server; check a file of backends.") { _url, _key, _json };
        family.Add(Leaf("list", "List backends with state, load and errors.", [], _ => (HttpMethod.Get, "", null)));
        family.Add(Leaf("show", "Show a backend.", [name], result => (HttpMethod.Get, $"/{Uri.EscapeDataString(result.GetValue(name)!)}", null)));
        family.Add(Leaf("drain", "Give a backend no more requests; those that run are finished.", [name], result => (HttpMethod.Post, $"/{Uri.EscapeDataString(result.GetValue(name)!)}/drain", null)));
        family.Add(Leaf("undrain", "Give a drained backend requests again.", [name], result => (HttpMethod.Post, $"/{Uri.EscapeDataString(result.GetValue(name)!)}/undrain", null)));
        family.Add(Leaf("weight", "Change a backend's weight until its file gives it another.", [name, weight], result =>
            (HttpMethod.Put, $"/{Uri.EscapeDataString(result.GetValue(name)!)}/weight", new JsonObject { ["weight"] = result.GetValue(weight) })));
        family.Add(Leaf("reload", "Have the server read its file of backends again, now.", [], _ => (HttpMethod.Post, "/reload", null)));
        Command check = new("check", "Check a file of backends without a server.") { file };
        check.SetAction(result => Check(result.GetValue(file)!));
        family.Add(check);
        return family;
    }

    private static Command Leaf(string name, string meaning, Argument[] arguments, Func<ParseResult, (HttpMethod Method, string Path, JsonObject? Body)> request)
    {
        Command command = new(name, meaning);
        foreach (Argument argument in arguments)
            command.Add(argument);
        command.SetAction((result, cancel) =>
        {
            (HttpMethod method, string path, JsonObject? body) = request(result);
            return RunAsync(result, method, path, body, cancel);
        });
        return command;
    }

    private static async Task<int> RunAsync(ParseResult result, HttpMethod method, string path, JsonObject? body, CancellationToken cancel)
    {
        if (!Uri.TryCreate(result.GetValue(_url)!.TrimEnd('/') + "/api/admin/backends" + path, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https"))
            return Fail($"--url {result.GetValue(_url)} is no address; use one such as http://127.0.0.1:8080.", 64);
        if ((result.GetValue(_key) ?? Environment.GetEnvironmentVariable("GLIMMER_API_KEY")) is not { Length: > 0 } key)
            return Fail("a key with the operator's right is needed: --key, or GLIMMER_API_KEY of the environment.", 64);
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
        using var request = new HttpRequestMessage(method, url);
        if (!request.Headers.TryAddWithoutValidation("Authorization", new AuthenticationHeaderValue("Bearer", key).ToString()))
            return Fail("the key has characters in it that no key has.", 64);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        try
        {
            using HttpResponseMessage response = await client.SendAsync(request, cancel);
            JsonNode? answer = JsonNode.Parse(await response.Content.ReadAsStringAsync(cancel));
            if (!response.IsSuccessStatusCode)
                return Fail((string?)answer?["error"]?["message"] ?? string.Create(CultureInfo.InvariantCulture, $"the server answered {(int)response.StatusCode}."), 1);
            Print(answer ?? new JsonObject(), result.GetValue(_json));
            return 0;
        }
        catch (Exception fault) when (fault is HttpRequestException or JsonException or InvalidOperationException || (fault is TaskCanceledException && !cancel.IsCancellationRequested))
        {
            return Fail($"{url.GetLeftPart(UriPartial.Authority)} cannot be asked: {fault.Message}", 69);
        }
    }

    private static void Print(JsonNode answer, bool json)
    {
        if (json)
        {
            Console.WriteLine(AdminPrinter.Json(answer));
            return;
        }

        // A table of all that is known would be wider than any screen.
        if (answer["data"] is JsonArray list)
        {
            foreach (JsonObject row in list.OfType<JsonObject>())
            {
                foreach (string column in row.Select(static cell => cell.Key).Except(Columns.Split(' '), StringComparer.Ordinal).ToArray())
                    row.Remove(column);
            }
        }

        AdminPrinter.Print(Console.Out, answer);
    }

    private static int Check(string path)
    {
        try
        {
            BackendSet set = BackendFile.ReadFile(path);
            foreach (string warning in set.Warnings)
                Console.WriteLine(warning);
            Console.WriteLine($"{path}: {set.Backends.Count} backends, {set.Backends.SelectMany(static backend => backend.Models).Select(static model => model.Code).Distinct(StringComparer.OrdinalIgnoreCase).Count()} models.");
            return 0;
        }
        catch (BackendFileException fault)
        {
            return Fail(fault.Message, 78);
        }
    }

    private static int Fail(string problem, int code)
    {
        Console.Error.WriteLine($"backends: {problem.ReplaceLineEndings(" ")}");
        return code;
    }
}
