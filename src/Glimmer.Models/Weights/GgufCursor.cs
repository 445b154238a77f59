using System.Runtime.CompilerServices;

namespace Glimmer.Models.Weights;

/// <summary>Reads a GGUF header forwards; every read is checked against the end of the file.</summary>
internal unsafe ref struct GgufCursor(FileBytes file, long offset)
{
    // Keys and tensor names: the specification allows 65535 bytes; more is a damaged length.
    private const int LongestName = 65535;
    private const int DeepestArray = 8;

    /// <summary>Where the next read starts.</summary>
    public long Offset { get; private set; } = offset;

    /// <summary>Bytes left in the file.</summary>
    public readonly long Remaining => file.Length - Offset;

    public T Read<T>(string what)
        where T : unmanaged
    {
        Require((ulong)sizeof(T), what);
        T value = Unsafe.ReadUnaligned<T>(file.Start + Offset);
        Offset += sizeof(T);
        return value;
    }

    public string ReadName(string what)
    {
        ulong length = Read<ulong>($"the length of {what}");
        Require(length, what);
        if (length > LongestName)
            throw new ModelFileException(file.Path, $"{what} has {length} bytes; at most {LongestName} are allowed");
        string name = GgufMetadata.Decode(file, what, file.Slice(Offset, (int)length));
        Offset += (long)length;
        return name;
    }

    public GgufValue ReadValue(string key)
    {
        GgufValueType type = ReadType(key);
        if (type != GgufValueType.Array)
        {
            long start = Offset;
            Skip(type, 1, key, 0);
            return new GgufValue(type, type, 1, start, Offset - start);
        }

        GgufValueType element = ReadType(key);
        ulong count = Read<ulong>($"the length of the array '{key}'");
        long first = Offset;
        Skip(element, count, key, 1);
        return new GgufValue(GgufValueType.Array, element, (long)count, first, Offset - first);
    }

    private GgufValueType ReadType(string key)
    {
        uint type = Read<uint>($"the type of '{key}'");
        return type <= (uint)GgufValueType.Float64
            ? (GgufValueType)type
            : throw new ModelFileException(file.Path, $"the value of '{key}' has type {type}, which GGUF does not define (0 to 12)");
    }

    private void Skip(GgufValueType type, ulong count, string key, int depth)
    {
        int size = GgufValue.SizeOf(type);
        if (size > 0)
        {
            RequireItems(count, (ulong)size, key);
            Offset += (long)count * size;
        }
        else if (type == GgufValueType.String)
        {
            RequireItems(count, 8, key);
            for (ulong i = 0; i < count; i++)
            {
                ulong length = Read<ulong>(key);
                Require(length, key);
                if (length > int.MaxValue)
                    throw new ModelFileException(file.Path, $"a string of '{key}' has {length} bytes");
                Offset += (long)length;
            }
        }
        else
        {
            if (depth >= DeepestArray)
                throw new ModelFileException(file.Path, $"the arrays of '{key}' are nested more than {DeepestArray} deep");
            RequireItems(count, 12, key);
            for (ulong i = 0; i < count; i++)
            {
                GgufValueType inner = ReadType(key);
                Skip(inner, Read<ulong>(key), key, depth + 1);
            }
        }
    }

    private readonly void RequireItems(ulong count, ulong size, string key)
    {
        if (count > (ulong)Remaining / size || count > int.MaxValue)
            throw new ModelFileException(file.Path, $"'{key}' announces {count} values, more than the {Remaining} bytes left in the file can hold");
    }

    private readonly void Require(ulong bytes, string what)
    {
        if (bytes > (ulong)Remaining)
            throw new ModelFileException(file.Path, $"the file ends inside {what}: {bytes} bytes needed at offset {Offset}, {Remaining} left");
    }
}
