namespace Glimmer.Protocol.Errors;

/// <summary>
/// Something the caller did or met that the platform has a code for. A value, not an exception: every dialect knows
/// how to say it.
/// </summary>
/// <param name="Code">The business code.</param>
/// <param name="Message">What is wrong, in English: names the field, the value's problem and a legal value.</param>
/// <param name="Field">Path of the field at fault, e.g. <c>messages[2].content</c>; null when no single field is.</param>
public sealed record PlatformError(BusinessCode Code, string Message, string? Field = null);
