using System.Collections.Immutable;
using System.Text;

namespace Glimmer.Platform.Ledger;

/// <summary>
/// A settled request as a record of the node's journal: who pays, what was used, and at what price, so that it can be settled again.
/// What lots paid is not in it: that is found again from the same wallet as of the same instant.
/// </summary>
internal static class ChargeRecord
{
    private const byte Form = 1;

    /// <summary>Writes a settled request.</summary>
    public static byte[] Write(LedgerReservation reservation)
    {
        ref Charge charge = ref reservation.Charge;
        using var bytes = new MemoryStream(256);
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(Form);
        writer.Write(charge.Id);
        writer.Write(charge.At);
        writer.Write(reservation.Payer.AccountId);
        writer.Write(reservation.Payer.ProjectId);
        writer.Write(reservation.Payer.KeyId);
        writer.Write(reservation.RequestId);
        writer.Write(charge.Surface ?? "");
        writer.Write((byte)charge.Mode);
        writer.Write(charge.Failed);
        writer.Write(charge.Once);
        writer.Write(charge.PlanUnits);
        for (int kind = 0; kind < UsageUnits.Kinds; kind++)
            writer.Write(charge.Units[(UnitKind)kind]);
        Price price = charge.Price;
        writer.Write(price.Model);
        writer.Write(price.Family ?? "");
        writer.Write(price.CatalogueVersion);
        writer.Write(price.Currency.Code);
        writer.Write((byte)price.Lines.Length);
        foreach (PriceLine line in price.Lines)
        {
            writer.Write((byte)line.Kind);
            writer.Write(line.Amount.Units);
            writer.Write(line.Per);
        }

        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>Reads a settled request; its wallet is the ledger's, nothing is taken from it yet.</summary>
    /// <exception cref="InvalidDataException">The record is of another form, or says what cannot be.</exception>
    public static LedgerReservation Read(byte[] record, PlatformLedger ledger)
    {
        try
        {
            using var reader = new BinaryReader(new MemoryStream(record), Encoding.UTF8);
            if (reader.ReadByte() is var form && form != Form)
                throw new InvalidDataException($"A journal record has form {form}; this version reads form {Form}. Start the version that wrote it once.");
            var charge = new Charge { Id = reader.ReadInt64(), At = reader.ReadInt64() };
            var payer = new Payer(reader.ReadString(), reader.ReadString(), reader.ReadString());
            string request = reader.ReadString();
            charge.Surface = reader.ReadString();
            charge.Mode = (ChargeMode)reader.ReadByte();
            charge.Failed = reader.ReadBoolean();
            charge.Once = reader.ReadBoolean();
            charge.PlanUnits = reader.ReadInt64();
            int[] units = new int[UsageUnits.Kinds];
            for (int kind = 0; kind < units.Length; kind++)
                units[kind] = reader.ReadInt32();
            charge.Units = new UsageUnits
            {
                Input = units[0],
                CachedInput = units[1],
                Output = units[2],
                Reasoning = units[3],
                Images = units[4],
                Videos = units[5],
                AudioMilliseconds = units[6],
                AudioTokens = units[7],
                Characters = units[8],
                Pages = units[9],
                Searches = units[10],
                Tools = units[11],
            };
            string model = reader.ReadString();
            string family = reader.ReadString();
            long version = reader.ReadInt64();
            var currency = Currency.Parse(reader.ReadString());
            var lines = ImmutableArray.CreateBuilder<PriceLine>();
            for (int left = reader.ReadByte(); left > 0; left--)
                lines.Add(new PriceLine((UnitKind)reader.ReadByte(), Money.FromUnits(reader.ReadInt64(), currency), reader.ReadInt32()));
            charge.Price = new Price(model, version, currency, lines.DrainToImmutable(), family.Length > 0 ? family : null);
            if (!charge.Units.IsValid || !Enum.IsDefined(charge.Mode) || reader.BaseStream.Position != record.Length)
                throw new InvalidDataException("A journal record says what no request can have used.");
            bool charged = charge.Mode == ChargeMode.Balance && !charge.Price.IsFree;
            return new LedgerReservation(
                payer, new Quote(charge.Price, charge.Units, charge.Mode), request, ledger.WalletOf(payer.AccountId, currency), charged && payer.KeyId.Length > 0 ? ledger.KeyOf(payer.KeyId, currency) : null)
            {
                Charge = charge,
                IsReplay = true,
            };
        }
        catch (Exception fault) when (fault is IOException or ArgumentException or FormatException or OverflowException)
        {
            throw new InvalidDataException($"A journal record cannot be read: {fault.Message}", fault);
        }
    }
}
