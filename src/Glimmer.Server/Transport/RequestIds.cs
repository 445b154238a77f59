using System.Globalization;

namespace Glimmer.Server.Transport;

/// <summary>Ids in the platform's forms (spec: api.md §2.3).</summary>
internal static class RequestIds
{
    private static readonly TimeSpan PlatformOffset = TimeSpan.FromHours(8);

    /// <summary><c>yyyyMMddHHmmss</c> at UTC+8 and 16 hexadecimal digits: 30 characters.</summary>
    public static string NewRequestId(DateTimeOffset now) => string.Create(
        CultureInfo.InvariantCulture, $"{now.ToOffset(PlatformOffset):yyyyMMddHHmmss}{IdChance.Next() >> 1:x16}");

    /// <summary><c>call_</c> and 19 decimal digits.</summary>
    public static string NewCallId() =>
        string.Create(CultureInfo.InvariantCulture, $"call_{(IdChance.Next() % 9_000_000_000_000_000_000UL) + 1_000_000_000_000_000_000UL}");
}
