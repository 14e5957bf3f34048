using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

/// <summary>A schema with its annotations as bytes; what has a type that cannot be saved is left out.</summary>
internal static class SchemaFile
{
    private const byte Primitive = 0;
    private const byte Key = 1;
    private const byte Vector = 2;

    internal static void Write(BinaryWriter writer, DataViewSchema schema)
    {
        var columns = schema.Where(c => Codecs.Exists(c.Type.Item().RawType)).ToArray();
        writer.Write(columns.Length);
        foreach (var column in columns)
        {
            writer.Write(column.Name);
            WriteType(writer, column.Type);
            var annotations = column.Annotations.Schema.Where(a => Codecs.Exists(a.Type.Item().RawType)).ToArray();
            writer.Write(annotations.Length);
            foreach (var annotation in annotations)
            {
                writer.Write(annotation.Name);
                WriteType(writer, annotation.Type);
                Types.Call<object>(WriteValue<int>, annotation.Type.Item().RawType, writer, column.Annotations, annotation);
            }
        }
    }

    internal static DataViewSchema Read(BinaryReader reader)
    {
        var schema = new DataViewSchema.Builder();
        for (var columns = reader.ReadCount(1); columns > 0; columns--)
        {
            var (name, type) = (reader.ReadText(), ReadType(reader));
            Contracts.CheckDecode(name.Length > 0, "Corrupt model file: a column without name.");
            var annotations = new DataViewSchema.Annotations.Builder();
            for (var count = reader.ReadCount(1); count > 0; count--)
            {
                var (kind, annotationType) = (reader.ReadText(), ReadType(reader));
                Contracts.CheckDecode(kind.Length > 0, "Corrupt model file: an annotation without name.");
                Types.Call<object>(ReadValue<int>, annotationType.Item().RawType, reader, annotations, kind, annotationType);
            }

            schema.AddColumn(name, type, annotations.ToAnnotations());
        }

        return schema.ToSchema();
    }

    internal static void WriteType(BinaryWriter writer, DataViewType type)
    {
        switch (type)
        {
            case VectorDataViewType vector:
                writer.Write(Vector);
                writer.Write(vector.Dimensions.Length);
                foreach (var dimension in vector.Dimensions)
                    writer.Write(dimension);
                WriteType(writer, vector.ItemType);
                break;
            case KeyDataViewType key:
                writer.Write(Key);
                writer.Write(Types.Of(key.RawType).ToString());
                writer.Write(key.Count);
                break;
            default:
                writer.Write(Primitive);
                writer.Write(type.ToString());
                break;
        }
    }

    internal static DataViewType ReadType(BinaryReader reader)
    {
        try
        {
            switch (reader.ReadByte())
            {
                case Vector:
                    var dimensions = new int[reader.ReadCount(sizeof(int))];
                    for (var i = 0; i < dimensions.Length; i++)
                        dimensions[i] = reader.ReadInt32();
                    // An item is no vector, so this cannot nest without end.
                    return new VectorDataViewType(ReadItemType(reader, reader.ReadByte()), dimensions);
                case var kind:
                    return ReadItemType(reader, kind);
            }
        }
        catch (Exception ex) when (ex is ArgumentException or OverflowException)
        {
            throw new FormatException("Corrupt model file: a type that cannot be.", ex);
        }
    }

    private static PrimitiveDataViewType ReadItemType(BinaryReader reader, byte kind)
    {
        var name = reader.ReadText();
        var type = Types.Primitives.FirstOrDefault(t => t.ToString() == name);
        Contracts.CheckDecode(type != null && kind is Primitive or Key, $"Corrupt model file: no such type as '{name}'.");
        return kind == Key ? new KeyDataViewType(type.RawType, reader.ReadUInt64()) : type;
    }

    private static object WriteValue<T>(BinaryWriter writer, DataViewSchema.Annotations annotations, DataViewSchema.Column annotation)
    {
        if (annotation.Type is VectorDataViewType)
        {
            VBuffer<T> values = default;
            annotations.GetValue(annotation.Name, ref values);
            writer.Write(values.Length);
            foreach (var value in values.DenseValues())
                Codec<T>.Instance.Write(writer, value);
        }
        else
        {
            T value = default;
            annotations.GetValue(annotation.Name, ref value);
            Codec<T>.Instance.Write(writer, value);
        }

        return null;
    }

    private static object ReadValue<T>(BinaryReader reader, DataViewSchema.Annotations.Builder builder, string kind, DataViewType type)
    {
        if (type is VectorDataViewType)
        {
            var values = new T[reader.ReadCount(1)];
            for (var i = 0; i < values.Length; i++)
                values[i] = Codec<T>.Instance.Read(reader);
            builder.Add(kind, type, (ref VBuffer<T> value) => VBuffer<T>.Copy(values, 0, ref value, values.Length));
        }
        else
        {
            var value = Codec<T>.Instance.Read(reader);
            builder.Add(kind, type, (ref T dst) => dst = value);
        }

        return null;
    }
}
