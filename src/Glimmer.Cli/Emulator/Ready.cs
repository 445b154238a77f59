using System.Text.Json.Serialization;

namespace Glimmer.Cli.Emulator;

/// <summary>Where a server listens and how to ask it, for programs.</summary>
/// <param name="Url">Its address, without a slash at the end.</param>
/// <param name="Key">A credential.</param>
/// <param name="Pid">Its process.</param>
internal sealed record Ready(string Url, string Key, int Pid);

/// <summary>JSON of <see cref="Ready"/>, made ahead of time: reflection would cost start-up time.</summary>
[JsonSerializable(typeof(Ready))]
[JsonSerializable(typeof(string))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class ReadyJson : JsonSerializerContext;
