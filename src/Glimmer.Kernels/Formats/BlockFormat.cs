namespace Glimmer.Kernels.Formats;

/// <summary>
/// How the numbers of a weight matrix are stored. Values below 1000 are the type numbers of the GGUF
/// specification; the others exist only in safetensors files.
/// </summary>
public enum BlockFormat
{
#pragma warning disable CS1591 // the name of a format is its documentation: one file per format in this folder explains it
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    IQ2_XXS = 16,
    IQ2_XS = 17,
    IQ3_XXS = 18,
    IQ1_S = 19,
    IQ4_NL = 20,
    IQ3_S = 21,
    IQ2_S = 22,
    IQ4_XS = 23,
    I8 = 24,
    I16 = 25,
    I32 = 26,
    I64 = 27,
    F64 = 28,
    IQ1_M = 29,
    BF16 = 30,
    TQ1_0 = 34,
    TQ2_0 = 35,
    MXFP4 = 39,
    NVFP4 = 40,
    F8_E4M3 = 1000,
    F8_E5M2 = 1001,
    U8 = 1002,
    Bool = 1003,
    U16 = 1004,
    U32 = 1005,
    U64 = 1006,
    F8_E8M0 = 1007,
#pragma warning restore CS1591
}
