namespace Microsoft.ML.Moe.Files;

/// <summary>Types of elements that a safetensors file can hold; see <see cref="TensorTypes"/> for names and sizes.</summary>
internal enum TensorType
{
    /// <summary>A byte, 0 or 1.</summary>
    Bool,

    /// <summary>Four bits.</summary>
    F4,

    /// <summary>Six bits, two of exponent.</summary>
    F6E2M3,

    /// <summary>Six bits, three of exponent.</summary>
    F6E3M2,

    /// <summary>Unsigned, one byte.</summary>
    U8,

    /// <summary>Signed, one byte.</summary>
    I8,

    /// <summary>One byte, like IEEE: five bits of exponent, with infinities.</summary>
    F8E5M2,

    /// <summary>One byte, four bits of exponent, no infinities, up to 448.</summary>
    F8E4M3,

    /// <summary>One byte, a power of two.</summary>
    F8E8M0,

    /// <summary>As <see cref="F8E4M3"/> with a bias of 8, no minus zero and one code that is no number.</summary>
    F8E4M3Fnuz,

    /// <summary>As <see cref="F8E5M2"/> with a bias of 16, no infinities, no minus zero and one code that is no number.</summary>
    F8E5M2Fnuz,

    /// <summary>Signed, two bytes.</summary>
    I16,

    /// <summary>Unsigned, two bytes.</summary>
    U16,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>The upper half of a single-precision number.</summary>
    BF16,

    /// <summary>Signed, four bytes.</summary>
    I32,

    /// <summary>Unsigned, four bytes.</summary>
    U32,

    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>A complex number of two in single precision.</summary>
    C64,

    /// <summary>IEEE double precision.</summary>
    F64,

    /// <summary>Signed, eight bytes.</summary>
    I64,

    /// <summary>Unsigned, eight bytes.</summary>
    U64,
}

/// <summary>Names and sizes of <see cref="TensorType"/>.</summary>
internal static class TensorTypes
{
    private static readonly (string Name, int Bits)[] All =
    [
        ("BOOL", 8), ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6), ("U8", 8), ("I8", 8), ("F8_E5M2", 8), ("F8_E4M3", 8), ("F8_E8M0", 8),
        ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8), ("I16", 16), ("U16", 16), ("F16", 16), ("BF16", 16), ("I32", 32), ("U32", 32), ("F32", 32),
        ("C64", 64), ("F64", 64), ("I64", 64), ("U64", 64),
    ];

    /// <summary>The name in a file's header, such as <c>F8_E4M3</c>.</summary>
    public static string NameOf(this TensorType type) => All[(int)type].Name;

    /// <summary>Bits of an element.</summary>
    public static int BitsOf(this TensorType type) => All[(int)type].Bits;

    /// <summary>The type of a name; null where there is none.</summary>
    public static TensorType? Find(string? name)
    {
        var index = Array.FindIndex(All, t => t.Name == name);
        return index < 0 ? null : (TensorType)index;
    }
}
