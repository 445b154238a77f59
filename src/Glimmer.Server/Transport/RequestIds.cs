using System.Globalization;
using System.Security.Cryptography;

namespace Glimmer.Server.Transport;

/// <summary>Ids in the platform's forms (spec: api.md §2.3).</summary>
internal static class RequestIds
{
    private static readonly TimeSpan PlatformOffset = TimeSpan.FromHours(8);

    /// <summary><c>yyyyMMddHHmmss</c> at UTC+8 and 16 hexadecimal digits: 30 characters.</summary>
    public static string NewRequestId(DateTimeOffset now) => string.Create(
        CultureInfo.InvariantCulture, $"{now.ToOffset(PlatformOffset):yyyyMMddHHmmss}{Random.Shared.NextInt64():x16}");

    /// <summary><c>call_</c> and 19 decimal digits.</summary>
    public static string NewCallId()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        ulong number = BitConverter.ToUInt64(bytes) % 9_000_000_000_000_000_000UL;
        return string.Create(CultureInfo.InvariantCulture, $"call_{number + 1_000_000_000_000_000_000UL}");
    }
}
