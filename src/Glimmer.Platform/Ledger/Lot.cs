namespace Glimmer.Platform.Ledger;

/// <summary>What a pack may pay for.</summary>
/// <param name="Kinds">Kinds of unit that it counts.</param>
/// <param name="Models">Model codes or families; empty for all models.</param>
public sealed record PackScope(IReadOnlyList<UnitKind> Kinds, IReadOnlyList<string> Models)
{
    /// <summary>The kinds as bits, as stored.</summary>
    internal int Mask { get; } = Kinds.Aggregate(0, static (mask, kind) => mask | (1 << (int)kind));

    /// <summary>The models as stored.</summary>
    internal string ModelList => string.Join(' ', Models);

    internal bool Covers(Price price)
    {
        if (Models.Count == 0)
            return true;
        foreach (string model in Models)
        {
            if (string.Equals(model, price.Model, StringComparison.OrdinalIgnoreCase) || string.Equals(model, price.Family, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    internal static PackScope FromStored(int mask, string models) =>
        new(
            [.. Enumerable.Range(0, UsageUnits.Kinds).Where(kind => (mask & (1 << kind)) != 0).Select(static kind => (UnitKind)kind)],
            models.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}

/// <summary>
/// An amount of one origin in a wallet: the cash, one grant of credits, one pack. Guarded by the wallet's lock, but for
/// the stored figures, which belong to the writer.
/// </summary>
internal sealed class Lot(long id, LotKind kind, long grantedUnits, long grantedQuantity, long created, long expires, PackScope? scope)
{
    /// <summary>Stands for "never" in <see cref="Expires"/>.</summary>
    public const long Never = long.MaxValue;

    /// <summary>Its row; 0 for cash that has none yet.</summary>
    public long Id { get; set; } = id;

    public LotKind Kind { get; } = kind;

    /// <summary>Money it began with, in ledger units.</summary>
    public long GrantedUnits { get; } = grantedUnits;

    /// <summary>Units of use that a pack began with.</summary>
    public long GrantedQuantity { get; } = grantedQuantity;

    public long Created { get; } = created;

    /// <summary>First millisecond at which it can't be used.</summary>
    public long Expires { get; } = expires;

    public PackScope? Scope { get; } = scope;

    /// <summary>Money left: as the store will say once everything settled is written.</summary>
    public long Units;

    /// <summary>Units of use left in a pack, likewise.</summary>
    public long Quantity;

    /// <summary>Units of use set aside by running requests.</summary>
    public long Held;

    /// <summary>What the store says, as far as this process knows.</summary>
    public long StoredUnits;

    /// <inheritdoc cref="StoredUnits"/>
    public long StoredQuantity;

    /// <summary>Whether its row exists.</summary>
    public bool IsStored;

    public bool IsUsable(long now) => now < Expires;

    /// <summary>
    /// Money of a pack that has so much left: proportional, rounded down. It depends on what is left only, so that many
    /// small draws recognise exactly what one large draw does, and the last unit takes the rest.
    /// </summary>
    public long ValueOf(long quantity) => GrantedQuantity == 0 ? 0 : (long)((Int128)GrantedUnits * quantity / GrantedQuantity);

    /// <summary>The order of use: earliest expiry first, then the oldest.</summary>
    public static int ByUse(Lot left, Lot right)
    {
        int order = left.Expires.CompareTo(right.Expires);
        if (order == 0)
            order = left.Created.CompareTo(right.Created);
        return order != 0 ? order : left.Id.CompareTo(right.Id);
    }
}

/// <summary>What one request or purchase took out of one lot.</summary>
/// <param name="Lot">The lot.</param>
/// <param name="Units">Money, in ledger units.</param>
/// <param name="Quantity">Units of use, for packs.</param>
/// <param name="Kind">Their kind, for packs.</param>
internal readonly record struct Draw(Lot Lot, long Units, long Quantity = 0, UnitKind Kind = UnitKind.Input);
