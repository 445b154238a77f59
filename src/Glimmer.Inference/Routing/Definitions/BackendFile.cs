using System.Globalization;
using Glimmer.Inference.Backends;
using Glimmer.Shared.Yaml;

namespace Glimmer.Inference.Routing.Definitions;

/// <summary>Reads a file of backends from YAML (docs/backends.md). It is read and checked whole before anything of it is used.</summary>
public sealed class BackendFile
{
    /// <summary>Most bytes of a file.</summary>
    public const int LargestFile = 1 << 20;

    /// <summary>Most backends of a file.</summary>
    public const int MostBackends = 1000;

    private const int MostModels = 1000;
    private const int MostHeaders = 64;
    private static readonly TimeSpan _day = TimeSpan.FromDays(1);

    private static readonly (string Word, BackendKind Kind, bool Raw)[] _kinds =
    [
        ("vllm", BackendKind.Vllm, true), ("sglang", BackendKind.SGLang, true), ("llama-server", BackendKind.LlamaServer, true),
        ("openai", BackendKind.OpenAI, false), ("anthropic", BackendKind.Anthropic, false), ("zai", BackendKind.Zai, false),
    ];

    private readonly BackendFields _fields;
    private readonly List<string> _warnings = [];

    private BackendFile(string file) => _fields = new BackendFields(file);

    /// <summary>The word of a kind in files: <c>vllm</c>, <c>llama-server</c>, <c>zai</c> …</summary>
    public static string WordOf(BackendKind kind) => Array.Find(_kinds, known => known.Kind == kind).Word;

    /// <summary>Reads a file.</summary>
    /// <exception cref="BackendFileException">It cannot be read, or something in it is wrong.</exception>
    public static BackendSet ReadFile(string path)
    {
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (stream.Length > LargestFile)
                throw new BackendFileException($"{path} is larger than {LargestFile >> 10} KiB.");
            using StreamReader text = new(stream);
            return Read(text, path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new BackendFileException($"{path} cannot be read: {fault.Message}", fault);
        }
    }

    /// <summary>Reads a text.</summary>
    /// <param name="text">YAML of one document.</param>
    /// <param name="file">Its name, for messages; relative paths in it begin at its folder.</param>
    /// <exception cref="BackendFileException">Something in it is wrong.</exception>
    public static BackendSet Read(TextReader text, string file)
    {
        try
        {
            YamlTree tree = YamlTree.Read(text) ?? throw new BackendFileException($"{file}, line 1: the file is empty; it needs the list backends.");
            return new BackendFile(file).ReadSet(tree);
        }
        catch (YamlTreeException fault)
        {
            throw new BackendFileException($"{file}, line {fault.Line}: {fault.Message}", fault);
        }
    }

    private BackendSet ReadSet(YamlTree root)
    {
        List<BackendDefinition>? backends = null;
        RoutingOptions routing = new();
        YamlTree? standIn = null;
        foreach ((string key, YamlTree value) in _fields.Members(root, "the file"))
        {
            switch (key)
            {
                case "backends":
                    backends = ReadBackends(value);
                    break;
                case "routing":
                    routing = new RoutingReader(_fields).Read(value);
                    standIn = value.Members!.Find(static member => member.Key == "stand_in").Value;
                    break;
                default:
                    throw _fields.Unknown(value, key, "backends or routing");
            }
        }

        if (backends is null)
            throw _fields.Wrong(root, "the list backends is missing.");
        if (standIn is not null && !backends.Exists(backend => backend.Models.Any(model => string.Equals(model.Code, routing.StandIn, StringComparison.OrdinalIgnoreCase) && model.Kind == BackendModelKind.Chat)))
            throw _fields.Wrong(standIn, $"stand_in is \"{routing.StandIn}\", which no backend of this file has; use the code of one of its models.");
        return new BackendSet(backends, routing) { Warnings = _warnings };
    }

    private List<BackendDefinition> ReadBackends(YamlTree node)
    {
        List<BackendDefinition> backends = [];
        HashSet<string> names = new(StringComparer.OrdinalIgnoreCase);
        foreach (YamlTree item in _fields.Items(node, "backends", MostBackends))
        {
            BackendDefinition backend = ReadBackend(item);
            if (!names.Add(backend.Name))
                throw _fields.Wrong(item, $"the name \"{backend.Name}\" comes twice; give each backend its own.");
            backends.Add(backend);
        }

        return backends;
    }

    private BackendDefinition ReadBackend(YamlTree node)
    {
        const string Keys = "name, kind, url, api_key, headers, models, weight, max_in_flight, mode, connect_timeout, first_token_timeout, stall_timeout";
        BackendDefinition backend = new() { Name = "", Kind = BackendKind.OpenAI, Url = new Uri("http://127.0.0.1"), Models = [] };
        HashSet<string> given = [];
        YamlTree? mode = null, url = null;
        foreach ((string key, YamlTree value) in _fields.Members(node, "a backend"))
        {
            given.Add(key);
            switch (key)
            {
                case "name":
                    backend = backend with { Name = Name(value) };
                    break;
                case "kind":
                    backend = backend with { Kind = Kind(value) };
                    break;
                case "url":
                    url = value;
                    backend = backend with { Url = Url(value) };
                    break;
                case "api_key":
                    backend = backend with { ApiKey = _fields.Secret(value, key, out bool literal) };
                    if (literal)
                        _warnings.Add(string.Create(CultureInfo.InvariantCulture, $"{_fields.File}, line {value.Line}: api_key stands in the file; env:NAME or file:PATH keep it out of there."));
                    break;
                case "headers":
                    backend = backend with { Headers = Headers(value) };
                    break;
                case "models":
                    backend = backend with { Models = Models(value) };
                    break;
                case "weight":
                    backend = backend with { Weight = _fields.Whole(value, key, 0, 1000) };
                    break;
                case "max_in_flight":
                    backend = backend with { MaxInFlight = _fields.Whole(value, key, 1, 1_000_000) };
                    break;
                case "mode":
                    mode = value;
                    backend = backend with { ChatMode = _fields.Text(value, key) switch { "raw" => false, "chat" => true, var other => throw _fields.Wrong(value, $"mode is \"{other}\"; use raw or chat.") } };
                    break;
                case "media_addresses":
                    backend = backend with { MediaAddresses = _fields.Text(value, key) switch { "none" => MediaAddresses.None, "public" => MediaAddresses.Public, "any" => MediaAddresses.Any, var other => throw _fields.Wrong(value, $"media_addresses is \"{other}\"; use none, public or any.") } };
                    break;
                case "connect_timeout":
                    backend = backend with { ConnectTimeout = _fields.Time(value, key, TimeSpan.FromMilliseconds(1), _day) };
                    break;
                case "first_token_timeout":
                    backend = backend with { FirstTokenTimeout = _fields.Time(value, key, TimeSpan.FromMilliseconds(1), _day) };
                    break;
                case "stall_timeout":
                    backend = backend with { StallTimeout = _fields.Time(value, key, TimeSpan.FromMilliseconds(1), _day) };
                    break;
                default:
                    throw _fields.Unknown(value, key, Keys);
            }
        }

        foreach (string needed in (string[])["name", "kind", "url", "models"])
        {
            if (!given.Contains(needed))
                throw _fields.Wrong(node, $"the backend{(backend.Name.Length > 0 ? " " + backend.Name : "")} has no {needed}; it needs name, kind, url and models.");
        }

        if (backend.Url.Query.Length > 0 && backend.Kind != BackendKind.OpenAI)
            throw _fields.Wrong(url!, "url has a query, which only the kind openai may have (such as ?api-version=2024-10-21); leave it out.");
        bool raw = Array.Find(_kinds, known => known.Kind == backend.Kind).Raw;
        if (mode is not null && !raw)
            throw _fields.Wrong(mode, $"mode is for vllm, sglang and llama-server; leave it out for {WordOf(backend.Kind)}.");
        if (backend.Kind == BackendKind.Anthropic && backend.Models.FirstOrDefault(static model => model.Kind == BackendModelKind.Embedding) is { } vector)
            throw _fields.Wrong(node, $"the model {vector.Code} is of the kind embedding, which anthropic does not have.");
        if (backend.Models.FirstOrDefault(static model => model.Generation is not null || model.Tokenizer is not null) is { } told && (!raw || backend.ChatMode))
            throw _fields.Wrong(node, $"the model {told.Code} has a generation or a tokenizer, which only vllm, sglang and llama-server in raw mode use.");
        return backend;
    }

    private string Name(YamlTree node)
    {
        string name = _fields.Text(node, "name");
        return name.Length <= 64 && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
            ? name
            : throw _fields.Wrong(node, $"name is \"{(name.Length <= 80 ? name : name[..80] + "…")}\"; use letters, digits, -, _ and ., at most 64.");
    }

    private BackendKind Kind(YamlTree node)
    {
        string word = _fields.Text(node, "kind");
        int place = Array.FindIndex(_kinds, known => known.Word == word);
        return place >= 0 ? _kinds[place].Kind : throw _fields.Wrong(node, $"kind is \"{word}\"; use {string.Join(", ", _kinds.Select(static known => known.Word))}.");
    }

    private Uri Url(YamlTree node)
    {
        string text = _fields.Text(node, "url");
        return Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https" && url.Host.Length > 0 && url.Fragment.Length == 0 && url.UserInfo.Length == 0
            ? url
            : throw _fields.Wrong(node, $"url is no address that can be used; use http or https with a host, a port and a path, such as http://10.0.0.5:8000 (the key goes into api_key).");
    }

    private Dictionary<string, string> Headers(YamlTree node)
    {
        Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase);
        foreach ((string key, YamlTree value) in _fields.Members(node, "headers"))
        {
            if (key.Length is 0 or > 128 || !key.All(static c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal)))
                throw _fields.Wrong(value, $"\"{(key.Length <= 64 ? key : key[..64] + "…")}\" is no name of a header.");
            if (key.ToUpperInvariant() is "HOST" or "CONTENT-LENGTH" or "TRANSFER-ENCODING" or "CONNECTION" or "CONTENT-TYPE")
                throw _fields.Wrong(value, $"the header {key} is made by the connection itself; leave it out.");
            if (!headers.TryAdd(key, _fields.Secret(value, $"headers.{key}", out _)))
                throw _fields.Wrong(value, $"the header {key} comes twice.");
            if (headers.Count > MostHeaders)
                throw _fields.Wrong(value, $"there are more than {MostHeaders} headers.");
        }

        return headers;
    }

    private List<BackendModel> Models(YamlTree node)
    {
        List<BackendModel> models = [];
        HashSet<string> codes = new(StringComparer.OrdinalIgnoreCase);
        foreach (YamlTree item in _fields.Items(node, "models", MostModels))
        {
            BackendModel model = item.Scalar is null ? Model(item) : new BackendModel { Code = Code(item) };
            if (!codes.Add(model.Code))
                throw _fields.Wrong(item, $"the model {model.Code} comes twice.");
            models.Add(model);
        }

        return models.Count > 0 ? models : throw _fields.Wrong(node, "models is empty; name at least one model.");
    }

    private BackendModel Model(YamlTree node)
    {
        BackendModel model = new() { Code = "" };
        foreach ((string key, YamlTree value) in _fields.Members(node, "a model"))
        {
            model = key switch
            {
                "code" => model with { Code = Code(value) },
                "name" => model with { Name = _fields.Text(value, key, 256) },
                "generation" => model with { Generation = Generation(value) },
                "tokenizer" => model with { Tokenizer = _fields.PathOf(_fields.Text(value, key)) },
                "kind" => model with { Kind = _fields.Text(value, key) switch { "chat" => BackendModelKind.Chat, "embedding" => BackendModelKind.Embedding, var other => throw _fields.Wrong(value, $"kind is \"{other}\"; use chat or embedding.") } },
                "dimensions" => model with { Dimensions = _fields.Whole(value, key, 1, 1 << 16) },
                "context_length" => model with { ContextLength = _fields.Whole(value, key, 1, 1 << 26) },
                _ => throw _fields.Unknown(value, key, "code, name, kind, generation, tokenizer, context_length, dimensions"),
            };
        }

        if (model.Code.Length == 0)
            throw _fields.Wrong(node, "a model has no code.");
        if (model is { Kind: BackendModelKind.Chat, Dimensions: not null })
            throw _fields.Wrong(node, $"the model {model.Code} has dimensions, which only models of the kind embedding have.");
        return model is { Kind: BackendModelKind.Embedding, Generation: not null } or { Kind: BackendModelKind.Embedding, Tokenizer: not null }
            ? throw _fields.Wrong(node, $"the model {model.Code} makes embeddings; it has no generation and no tokenizer.")
            : model;
    }

    private string Code(YamlTree node)
    {
        string code = _fields.Text(node, "code");
        return code.Length <= 128 && code.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or ':')
            ? code
            : throw _fields.Wrong(node, $"the code of a model is \"{(code.Length <= 80 ? code : code[..80] + "…")}\"; use letters, digits, -, _, ., / and :, at most 128.");
    }

    private string Generation(YamlTree node)
    {
        string name = _fields.Text(node, "generation");
        try
        {
            return Glimmer.Dialogue.Generations.Generations.ForName(name).Name;
        }
        catch (ArgumentException fault)
        {
            throw _fields.Wrong(node, $"generation: {fault.Message.ReplaceLineEndings(" ")}", fault);
        }
    }
}
