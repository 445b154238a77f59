using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Glimmer.Platform.Ledger;

namespace Glimmer.Platform.Billing;

/// <summary>Forms of an export.</summary>
public enum ExportFormat
{
    /// <summary>Comma-separated values after RFC 4180, UTF-8 with a mark, so that spreadsheets read Chinese.</summary>
    Csv,

    /// <summary>A JSON array of objects.</summary>
    Json,
}

/// <summary>Writes bills and requests as CSV or JSON while they are read; memory does not grow with their number.</summary>
public static class StatementExport
{
    private static readonly string[] _units =
        ["input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "images", "videos", "audio_milliseconds", "audio_tokens", "characters", "pages", "searches", "tools"];

    private static readonly string[] _requestColumns =
    [
        "number", "time", "request_id", "project", "key", "model", "surface", "catalogue_version", "paid_by", "failed", .. _units, "plan_units", "currency", "cash", "credits", "pack_value", "pack_units",
    ];

    private static readonly string[] _billColumns =
        ["date", "project", "model", "requests", "failed", .. _units, "plan_units", "currency", "cash", "credits", "pack_value", "pack_units"];

    /// <summary>The MIME type of a form.</summary>
    public static string TypeOf(ExportFormat format) => format == ExportFormat.Csv ? "text/csv; charset=utf-8" : "application/json";

    /// <summary>Writes requests.</summary>
    public static Task WriteAsync(PipeWriter output, ExportFormat format, IAsyncEnumerable<RequestLine> lines, TimeSpan offset, CancellationToken cancel = default) =>
        WriteAsync(output, format, _requestColumns, Cells(lines, offset), cancel);

    /// <summary>Writes bills.</summary>
    public static Task WriteAsync(PipeWriter output, ExportFormat format, IReadOnlyList<UsageLine> bills, CancellationToken cancel = default) =>
        WriteAsync(output, format, _billColumns, bills.Select(Cells).ToAsyncEnumerable(), cancel);

    private static async IAsyncEnumerable<object[]> Cells(IAsyncEnumerable<RequestLine> lines, TimeSpan offset)
    {
        await foreach (RequestLine line in lines)
        {
            yield return
            [
                line.Number, line.At.ToOffset(offset).ToString("yyyy-MM-ddTHH:mm:ss.fffzzz", CultureInfo.InvariantCulture), line.RequestId, line.ProjectId, line.KeyId, line.Model, line.Surface,
                line.CatalogueVersion, line.Mode == ChargeMode.Plan ? "plan" : "balance", line.Failed, .. Enum.GetValues<UnitKind>().Select(kind => (object)(long)line.Units[kind]),
                line.PlanUnits, line.Cash.Currency.Code, line.Cash, line.Credits, line.PackValue, line.PackQuantity,
            ];
        }
    }

    private static object[] Cells(UsageLine line) =>
    [
        line.Start.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), line.ProjectId ?? "", line.Model ?? "", line.Requests, line.Failed, .. line.Units.Select(static count => (object)count),
        line.PlanUnits, line.Cash.Currency.Code, line.Cash, line.Credits, line.PackValue, line.PackQuantity,
    ];

    private static async Task WriteAsync(PipeWriter output, ExportFormat format, string[] columns, IAsyncEnumerable<object[]> rows, CancellationToken cancel)
    {
        const int FlushEvery = 200;
        Write(output, format == ExportFormat.Csv ? "\uFEFF" + string.Join(',', columns) + "\r\n" : "[");
        int count = 0;
        await foreach (object[] row in rows.WithCancellation(cancel))
        {
            if (format == ExportFormat.Csv)
                Write(output, string.Join(',', row.Select(Csv)) + "\r\n");
            else
                Json(output, columns, row, first: count == 0);
            if (++count % FlushEvery == 0)
                await output.FlushAsync(cancel);
        }

        if (format == ExportFormat.Json)
            Write(output, "\n]\n");
        await output.FlushAsync(cancel);
    }

    private static void Json(PipeWriter output, string[] columns, object[] row, bool first)
    {
        Write(output, first ? "\n" : ",\n");
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        for (int i = 0; i < columns.Length; i++)
        {
            switch (row[i])
            {
                case long number:
                    // Beyond 2^53 a number would lose digits in many readers.
                    if (columns[i] == "number")
                        json.WriteString(columns[i], number.ToString(CultureInfo.InvariantCulture));
                    else
                        json.WriteNumber(columns[i], number);
                    break;
                case bool flag:
                    json.WriteBoolean(columns[i], flag);
                    break;
                case Money money:
                    json.WriteString(columns[i], money.AmountText);
                    break;
                default:
                    json.WriteString(columns[i], (string)row[i]);
                    break;
            }
        }

        json.WriteEndObject();
    }

    private static string Csv(object cell) => cell switch
    {
        long number => number.ToString(CultureInfo.InvariantCulture),
        bool flag => flag ? "true" : "false",
        Money money => money.AmountText,
        string text => Quote(text),
        _ => throw new ArgumentOutOfRangeException(nameof(cell), cell, "Not a cell."),
    };

    /// <summary>Quotes what needs it; text that a spreadsheet would take for a formula gets an apostrophe before it.</summary>
    private static string Quote(string text)
    {
        if (text.Length > 0 && "=+-@\t\r".Contains(text[0], StringComparison.Ordinal))
            text = "'" + text;
        return text.AsSpan().IndexOfAny(",\"\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    private static void Write(PipeWriter output, string text) => Encoding.UTF8.GetBytes(text, output);
}
