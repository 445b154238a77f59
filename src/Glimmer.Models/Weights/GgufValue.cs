namespace Glimmer.Models.Weights;

/// <summary>Where a metadata value lies; it is decoded when it is asked for.</summary>
/// <param name="Type">Its type.</param>
/// <param name="ElementType">For arrays the type of the elements, else <paramref name="Type"/>.</param>
/// <param name="Count">For arrays the number of elements, else 1.</param>
/// <param name="Offset">First byte of the (first) value in the file.</param>
/// <param name="ByteLength">Bytes from there to the end of the (last) value.</param>
internal readonly record struct GgufValue(GgufValueType Type, GgufValueType ElementType, long Count, long Offset, long ByteLength)
{
    /// <summary>For messages: <c>String</c>, <c>Array of Int32</c>.</summary>
    public string Description => Type == GgufValueType.Array ? $"Array of {ElementType}" : Type.ToString();

    /// <summary>Bytes of one value; 0 for strings and arrays.</summary>
    public static int SizeOf(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Bool => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 => 8,
        _ => 0,
    };
}
