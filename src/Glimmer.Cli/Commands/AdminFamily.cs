using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Glimmer.Cli.Hosting;
using Glimmer.Platform.Accounts;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Admin;

namespace Glimmer.Cli.Commands;

/// <summary>What a command sends to an operation of the admin API.</summary>
internal sealed class AdminRequest
{
    public Dictionary<string, string> Route { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, string> Query { get; } = new(StringComparer.Ordinal);

    public JsonObject Body { get; } = [];
}

/// <summary>What came of it, for commands that print it in their own way.</summary>
internal sealed record AdminAnswer(PlatformSession Session, AccountEntry Account, JsonNode Json);

/// <summary>
/// A family of commands that run operations of the admin API on the store itself, also while a server runs on it: it follows within a
/// second. All take <c>--data</c>, <c>--store</c> and <c>--json</c>; those about an account <c>--account</c>.
/// </summary>
internal sealed class AdminFamily
{
    private static readonly Dictionary<string, string> _none = [];
    private readonly Option<string> _data;
    private readonly Option<string?> _store;
    private readonly Option<bool> _json;
    private readonly Option<string?>? _account;
    private readonly int _refused;

    /// <summary>Begins a family.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="meaning">What it is for.</param>
    /// <param name="ofAccount">Whether its commands are about one account, which <c>--account</c> names.</param>
    /// <param name="refused">Exit code when the platform refuses.</param>
    public AdminFamily(string name, string meaning, bool ofAccount, int refused = 1)
    {
        _refused = refused;
        _data = DataOption.Create();
        _data.Recursive = true;
        _store = DataOption.Store();
        _json = new Option<bool>("--json") { Description = "Print the answer as JSON.", Recursive = true };
        Command = new Command(name, meaning) { _data, _store, _json };
        if (!ofAccount)
            return;
        _account = new Option<string?>("--account") { Description = "Public id of the account; the machine's owner when not given.", Recursive = true };
        Command.Add(_account);
    }

    public Command Command { get; }

    /// <summary>Adds a command.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="meaning">What it does.</param>
    /// <param name="operation">Method and path of what it runs.</param>
    /// <param name="fields">What it takes.</param>
    /// <param name="view">Prints the answer and gives the exit code; null for a table.</param>
    public AdminFamily Leaf(string name, string meaning, string operation, AdminField[] fields, Func<AdminAnswer, int>? view = null) =>
        Leaf(name, meaning, _ => operation, fields, view);

    /// <inheritdoc cref="Leaf(string, string, string, AdminField[], Func{AdminAnswer, int})"/>
    public AdminFamily Leaf(string name, string meaning, Func<ParseResult, string> operation, AdminField[] fields, Func<AdminAnswer, int>? view = null)
    {
        var command = new Command(name, meaning);
        foreach (AdminField field in fields)
            field.AddTo(command);
        command.SetAction((result, cancel) => RunAsync(result, AdminOperations.Find(operation(result)), fields, view, cancel));
        Command.Add(command);
        return this;
    }

    /// <summary>Runs an action on the opened platform.</summary>
    public Task<int> WithSessionAsync(ParseResult result, Func<PlatformSession, Task<int>> action) =>
        PlatformSession.RunAsync(Command.Name, result.GetValue(_data)!, result.GetValue(_store), action);

    /// <summary>Where the store is, by the command's options.</summary>
    public (string Data, string? Store) Place(ParseResult result) => (result.GetValue(_data)!, result.GetValue(_store));

    private async Task<int> RunAsync(ParseResult result, AdminOperation operation, AdminField[] fields, Func<AdminAnswer, int>? view, CancellationToken cancel)
    {
        var request = new AdminRequest();
        try
        {
            foreach (AdminField field in fields)
                field.Apply(result, request);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"{Command.Name}: {fault.Message}");
            return 66;
        }

        return await WithSessionAsync(result, async session =>
        {
            string? named = request.Route.GetValueOrDefault("account") ?? (_account is null ? null : result.GetValue(_account));
            if (session.Account(named) is not { } account)
                return await FailAsync($"there is no account {named}.", 1);
            request.Route["account"] = account.PublicId;
            byte[] body = request.Body.Count == 0 ? [] : Encoding.UTF8.GetBytes(request.Body.ToJsonString());
            Outcome<JsonNode?> outcome = await operation.RunAsync(session.Admin, Actor.Cli, request.Route, request.Query.Count == 0 ? _none : request.Query, body, cancel);
            if (outcome.Error is { } error)
                return await FailAsync(error.MessageIn(MessageLanguage.English), _refused);
            JsonNode answer = outcome.Value ?? new JsonObject();
            if (result.GetValue(_json))
            {
                Console.WriteLine(AdminPrinter.Json(answer));
                return AdminPrinter.Holds(answer) ? 0 : 1;
            }

            if (view is not null)
                return view(new AdminAnswer(session, account, answer));
            AdminPrinter.Print(Console.Out, answer);
            return AdminPrinter.Holds(answer) ? 0 : 1;
        });
    }

    private async Task<int> FailAsync(string problem, int code)
    {
        await Console.Error.WriteLineAsync($"{Command.Name}: {problem.ReplaceLineEndings(" ")}");
        return code;
    }
}

/// <summary>An argument or option of a command, and where its value goes.</summary>
internal sealed class AdminField
{
    private readonly Symbol? _symbol;
    private readonly Action<ParseResult, AdminRequest> _apply;

    private AdminField(Symbol? symbol, Action<ParseResult, AdminRequest> apply)
    {
        _symbol = symbol;
        _apply = apply;
    }

    public void AddTo(Command command)
    {
        if (_symbol is Argument argument)
            command.Add(argument);
        else if (_symbol is Option option)
            command.Add(option);
    }

    public void Apply(ParseResult result, AdminRequest request) => _apply(result, request);

    /// <summary>An argument that is a part of the path.</summary>
    public static AdminField Route(string name, string shown, string meaning)
    {
        var argument = new Argument<string>(shown) { Description = meaning };
        return new AdminField(argument, (result, request) => request.Route[name] = result.GetValue(argument)!);
    }

    /// <summary>An argument that is a text or an amount of the body.</summary>
    public static AdminField Argument(string name, string shown, string meaning)
    {
        var argument = new Argument<string>(shown) { Description = meaning };
        return new AdminField(argument, (result, request) => request.Body[name] = result.GetValue(argument));
    }

    /// <summary>An argument that is a file, whose text goes into the body.</summary>
    public static AdminField FileText(string name, string shown, string meaning)
    {
        var argument = new Argument<FileInfo>(shown) { Description = meaning };
        return new AdminField(argument, (result, request) => request.Body[name] = File.ReadAllText(result.GetValue(argument)!.FullName));
    }

    /// <summary>An option that is a text of the body.</summary>
    public static AdminField Text(string option, string name, string meaning, bool required = false, string? otherwise = null)
    {
        var text = new Option<string?>(option) { Description = meaning, Required = required };
        return new AdminField(text, (result, request) => Set(request, name, result.GetValue(text) ?? otherwise));
    }

    /// <summary>An option that is a whole number of the body.</summary>
    public static AdminField Whole(string option, string name, string meaning, bool required = false, Func<long, JsonNode?>? convert = null, long least = long.MinValue, long most = long.MaxValue)
    {
        var number = new Option<long?>(option) { Description = meaning, Required = required };
        number.Validators.Add(result =>
        {
            if (result.Checked<long?>() is { } value && (value < least || value > most))
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{option} must be {least} to {most}."));
        });
        return new AdminField(number, (result, request) =>
        {
            if (result.GetValue(number) is { } value)
                request.Body[name] = convert is null ? value : convert(value);
        });
    }

    /// <summary>An option that is an instant of the body.</summary>
    public static AdminField Instant(string option, string name, string meaning)
    {
        var instant = new Option<DateTimeOffset?>(option) { Description = meaning + " Such as 2027-03-31 or 2027-03-31T12:00Z." };
        return new AdminField(instant, (result, request) =>
        {
            if (result.GetValue(instant) is { } at)
                request.Body[name] = at.ToUnixTimeMilliseconds();
        });
    }

    /// <summary>A switch that sets a flag of the body when it is given.</summary>
    public static AdminField Flag(string option, string name, string meaning, bool value = true, bool? otherwise = null)
    {
        var flag = new Option<bool>(option) { Description = meaning };
        return new AdminField(flag, (result, request) =>
        {
            if (result.GetValue(flag))
                request.Body[name] = value;
            else if (otherwise is { } absent)
                request.Body[name] = absent;
        });
    }

    /// <summary>A switch that sets a field of the body to null when it is given, which lifts a restriction.</summary>
    public static AdminField Lift(string option, string name, string meaning)
    {
        var flag = new Option<bool>(option) { Description = meaning };
        return new AdminField(flag, (result, request) =>
        {
            if (result.GetValue(flag))
                request.Body[name] = null;
        });
    }

    /// <summary>An option that is a list of texts of the body, separated by commas.</summary>
    public static AdminField Texts(string option, string name, string meaning, bool required = false)
    {
        var texts = new Option<string?>(option) { Description = meaning + " Several with commas between.", Required = required };
        return new AdminField(texts, (result, request) =>
        {
            if (result.GetValue(texts) is { } text)
                request.Body[name] = new JsonArray([.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(each => JsonValue.Create(each))]);
        });
    }

    /// <summary>A field of the body that is always the same.</summary>
    public static AdminField Constant(string name, bool value) => new(null, (_, request) => request.Body[name] = value);

    /// <summary>An option that is a parameter of the query.</summary>
    public static AdminField Query(string option, string name, string meaning)
    {
        var text = new Option<string?>(option) { Description = meaning };
        return new AdminField(text, (result, request) =>
        {
            if (result.GetValue(text) is { } value)
                request.Query[name] = value;
        });
    }

    private static void Set(AdminRequest request, string name, string? value)
    {
        if (value is not null)
            request.Body[name] = value;
    }
}
