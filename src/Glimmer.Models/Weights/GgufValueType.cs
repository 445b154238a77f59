namespace Glimmer.Models.Weights;

/// <summary>The types of GGUF metadata values, with their numbers in the file.</summary>
public enum GgufValueType
{
#pragma warning disable CS1591 // the names are those of the GGUF specification
    UInt8 = 0,
    Int8 = 1,
    UInt16 = 2,
    Int16 = 3,
    UInt32 = 4,
    Int32 = 5,
    Float32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    UInt64 = 10,
    Int64 = 11,
    Float64 = 12,
#pragma warning restore CS1591
}
