using System.Text;

namespace Glimmer.Models.Weights;

/// <summary>
/// The key-value section of a GGUF file with typed access. <c>Get</c> methods want the key to be there, <c>Find</c> methods give null
/// when it is not; both refuse a value of another type or outside its bounds with a message that names file, key and value.
/// </summary>
/// <remarks>Immutable and safe to share. Keeps the file mapped; big arrays are read where they lie.</remarks>
public sealed class GgufMetadata
{
    private static readonly UTF8Encoding _strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly FileBytes _file;
    private readonly Dictionary<string, GgufValue> _values;

    internal GgufMetadata(FileBytes file, Dictionary<string, GgufValue> values)
    {
        _file = file;
        _values = values;
    }

    /// <summary>The file, for messages.</summary>
    public string Location => _file.Path;

    /// <summary>All keys, in the order of the file.</summary>
    public IReadOnlyCollection<string> Keys => _values.Keys;

    /// <summary>Whether the key is there.</summary>
    public bool Contains(string key) => _values.ContainsKey(key);

    /// <summary>Whether the key is there and holds an array.</summary>
    public bool IsArray(string key) => _values.TryGetValue(key, out GgufValue value) && value.Type == GgufValueType.Array;

    /// <summary>The value's type, or null when the key is missing.</summary>
    public GgufValueType? TypeOf(string key) => _values.TryGetValue(key, out GgufValue value) ? value.Type : null;

    /// <summary>Length of an array (0 when the key is missing, 1 for a single value).</summary>
    public int CountOf(string key) => _values.TryGetValue(key, out GgufValue value) ? (int)value.Count : 0;

    /// <summary>A string.</summary>
    public string GetString(string key) => FindString(key) ?? throw Missing(key, "a string");

    /// <summary>A string, or null when the key is missing.</summary>
    public string? FindString(string key)
    {
        if (!_values.TryGetValue(key, out GgufValue value))
            return null;
        if (value.Type != GgufValueType.String)
            throw WrongType(key, value, "a string");
        int length = (int)BitConverter.ToInt64(_file.Slice(value.Offset, 8));
        return Decode(_file, $"'{key}'", _file.Slice(value.Offset + 8, length));
    }

    /// <summary>An integer of any width, from <paramref name="minimum"/> to <paramref name="maximum"/>.</summary>
    public int GetInt32(string key, int minimum = int.MinValue, int maximum = int.MaxValue) =>
        FindInt32(key, minimum, maximum) ?? throw Missing(key, "an integer");

    /// <summary>An integer of any width within bounds, or null when the key is missing.</summary>
    public int? FindInt32(string key, int minimum = int.MinValue, int maximum = int.MaxValue) =>
        (int?)FindInt64(key, minimum, maximum);

    /// <summary>An integer of any width, from <paramref name="minimum"/> to <paramref name="maximum"/>.</summary>
    public long GetInt64(string key, long minimum = long.MinValue, long maximum = long.MaxValue) =>
        FindInt64(key, minimum, maximum) ?? throw Missing(key, "an integer");

    /// <summary>An integer of any width within bounds, or null when the key is missing.</summary>
    public long? FindInt64(string key, long minimum = long.MinValue, long maximum = long.MaxValue)
    {
        if (!_values.TryGetValue(key, out GgufValue value))
            return null;
        if (value.Type == GgufValueType.Array || !IsInteger(value.Type))
            throw WrongType(key, value, "an integer");
        Int128 number = ReadInteger(value.Type, value.Offset);
        if (number < minimum || number > maximum)
            throw new ModelFileException(_file.Path, $"'{key}' is {number}; allowed are {minimum} to {maximum}");
        return (long)number;
    }

    /// <summary>A number (float, or integer of any width).</summary>
    public float GetSingle(string key) => FindSingle(key) ?? throw Missing(key, "a number");

    /// <summary>A number, or null when the key is missing.</summary>
    public float? FindSingle(string key)
    {
        if (!_values.TryGetValue(key, out GgufValue value))
            return null;
        if (value.Type == GgufValueType.Array || !IsNumber(value.Type))
            throw WrongType(key, value, "a number");
        return (float)ReadNumber(value.Type, value.Offset);
    }

    /// <summary>A truth value.</summary>
    public bool GetBoolean(string key) => FindBoolean(key) ?? throw Missing(key, "a boolean");

    /// <summary>A truth value, or null when the key is missing.</summary>
    public bool? FindBoolean(string key)
    {
        if (!_values.TryGetValue(key, out GgufValue value))
            return null;
        if (value.Type != GgufValueType.Bool)
            throw WrongType(key, value, "a boolean");
        return ReadBoolean(key, value.Offset);
    }

    /// <summary>An array of strings.</summary>
    public Utf8List GetStrings(string key) => FindStrings(key) ?? throw Missing(key, "an array of strings");

    /// <summary>An array of strings, or null when the key is missing. Nothing is decoded yet.</summary>
    public Utf8List? FindStrings(string key)
    {
        if (!_values.TryGetValue(key, out GgufValue value))
            return null;
        if (value.Type != GgufValueType.Array || value.ElementType != GgufValueType.String)
            throw WrongType(key, value, "an array of strings");
        return new Utf8List(_file, key, value.Offset, (int)value.Count);
    }

    /// <summary>An array of integers of any width.</summary>
    public int[] GetInt32s(string key) => FindInt32s(key) ?? throw Missing(key, "an array of integers");

    /// <summary>An array of integers of any width, or null when the key is missing.</summary>
    public int[]? FindInt32s(string key)
    {
        if (!TryGetArray(key, IsInteger, "an array of integers", out GgufValue value))
            return null;
        int[] numbers = new int[value.Count];
        int size = GgufValue.SizeOf(value.ElementType);
        for (int i = 0; i < numbers.Length; i++)
        {
            Int128 number = ReadInteger(value.ElementType, value.Offset + (long)i * size);
            if (number < int.MinValue || number > int.MaxValue)
                throw new ModelFileException(_file.Path, $"'{key}'[{i}] is {number}, which does not fit 32 bits");
            numbers[i] = (int)number;
        }

        return numbers;
    }

    /// <summary>An array of numbers.</summary>
    public float[] GetSingles(string key) => FindSingles(key) ?? throw Missing(key, "an array of numbers");

    /// <summary>An array of numbers, or null when the key is missing.</summary>
    public float[]? FindSingles(string key)
    {
        if (!TryGetArray(key, IsNumber, "an array of numbers", out GgufValue value))
            return null;
        float[] numbers = new float[value.Count];
        int size = GgufValue.SizeOf(value.ElementType);
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = (float)ReadNumber(value.ElementType, value.Offset + (long)i * size);
        return numbers;
    }

    /// <summary>An array of truth values.</summary>
    public bool[] GetBooleans(string key) => FindBooleans(key) ?? throw Missing(key, "an array of booleans");

    /// <summary>An array of truth values, or null when the key is missing.</summary>
    public bool[]? FindBooleans(string key)
    {
        if (!TryGetArray(key, type => type == GgufValueType.Bool, "an array of booleans", out GgufValue value))
            return null;
        bool[] flags = new bool[value.Count];
        for (int i = 0; i < flags.Length; i++)
            flags[i] = ReadBoolean(key, value.Offset + i);
        return flags;
    }

    internal static string Decode(FileBytes file, string what, ReadOnlySpan<byte> bytes)
    {
        try
        {
            string text = _strict.GetString(bytes);
            GC.KeepAlive(file); // a span does not keep the mapping
            return text;
        }
        catch (DecoderFallbackException fault)
        {
            throw new ModelFileException(file.Path, $"{what} is not valid UTF-8", fault);
        }
    }

    /// <summary>Where a value lies, without its type, for copying it into another file.</summary>
    internal (GgufValue Value, FileBytes File) Locate(string key) => (_values[key], _file);

    private static bool IsInteger(GgufValueType type) => type is GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.UInt16
        or GgufValueType.Int16 or GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.UInt64 or GgufValueType.Int64;

    private static bool IsNumber(GgufValueType type) => IsInteger(type) || type is GgufValueType.Float32 or GgufValueType.Float64;

    private bool TryGetArray(string key, Func<GgufValueType, bool> accepts, string expected, out GgufValue value)
    {
        if (!_values.TryGetValue(key, out value))
            return false;
        if (value.Type != GgufValueType.Array || !accepts(value.ElementType))
            throw WrongType(key, value, expected);
        return true;
    }

    private Int128 ReadInteger(GgufValueType type, long offset)
    {
        ReadOnlySpan<byte> bytes = _file.Slice(offset, GgufValue.SizeOf(type));
        return type switch
        {
            GgufValueType.UInt8 => bytes[0],
            GgufValueType.Int8 => (sbyte)bytes[0],
            GgufValueType.UInt16 => BitConverter.ToUInt16(bytes),
            GgufValueType.Int16 => BitConverter.ToInt16(bytes),
            GgufValueType.UInt32 => BitConverter.ToUInt32(bytes),
            GgufValueType.Int32 => BitConverter.ToInt32(bytes),
            GgufValueType.UInt64 => BitConverter.ToUInt64(bytes),
            _ => BitConverter.ToInt64(bytes),
        };
    }

    private double ReadNumber(GgufValueType type, long offset) => type switch
    {
        GgufValueType.Float32 => BitConverter.ToSingle(_file.Slice(offset, 4)),
        GgufValueType.Float64 => BitConverter.ToDouble(_file.Slice(offset, 8)),
        _ => (double)ReadInteger(type, offset),
    };

    private bool ReadBoolean(string key, long offset) => _file.Slice(offset, 1)[0] switch
    {
        0 => false,
        1 => true,
        byte other => throw new ModelFileException(_file.Path, $"'{key}' holds {other} as a boolean; allowed are 0 and 1"),
    };

    private ModelFileException Missing(string key, string expected) => new(_file.Path, $"the key '{key}' is missing ({expected} is needed)");

    private ModelFileException WrongType(string key, GgufValue value, string expected) =>
        new(_file.Path, $"'{key}' is of type {value.Description}; {expected} is needed");
}
