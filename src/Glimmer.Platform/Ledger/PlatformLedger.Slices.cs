using System.Diagnostics.CodeAnalysis;
using Glimmer.Platform.Nodes;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Ledger;

/// <summary>
/// Funds and spend caps that several nodes share: what a node sets aside comes out of its slice too, so that all nodes together set aside
/// no more than there is. What was used leaves slice and books together, once it is booked.
/// </summary>
public sealed partial class PlatformLedger
{
    internal SliceTrader? Slices { get; set; }

    /// <summary>Shares funds and spend caps with other nodes from now on; before the first request.</summary>
    public void Share(NodeShare? nodes) => Slices = nodes?.Trader;

    /// <summary>The slice that had too little when <see cref="TryReserve"/> refused last on this thread; null when it refused for another reason.</summary>
    internal static Slice? Dry => _dry;

    [ThreadStatic]
    private static Slice? _dry;

    /// <summary>The charge is in the books: it is neither in the funds nor in the slice any more.</summary>
    internal static void BookSlices(LedgerReservation reservation)
    {
        ref Charge charge = ref reservation.Charge;
        reservation.Funds?.Consume(charge.Cash + charge.Credit);
        reservation.Cap?.Consume(charge.Cash + charge.Credit + charge.PackValue);
    }

    /// <summary>The charge could not be stored and is taken back.</summary>
    internal static void UnbookSlices(LedgerReservation reservation)
    {
        ref Charge charge = ref reservation.Charge;
        reservation.Funds?.Give(charge.Cash + charge.Credit);
        reservation.Cap?.Give(charge.Cash + charge.Credit + charge.PackValue);
    }

    private bool TakeSlices(LedgerReservation held, in BillingDay today, [NotNullWhen(false)] out PlatformError? error)
    {
        error = null;
        if (held.HeldUnits == 0)
            return true;
        Slice funds = SlicePlaces.OfFunds(Slices!, held.Payer.AccountId, held.Wallet.Currency.Code);
        if (_settings.CoverWorstCase ? !funds.TryTake(held.HeldUnits) : !funds.TryOverdraw(held.HeldUnits))
        {
            // The wallet has the money: others hold it, have set it aside, or died with it. It hears itself of what they charge.
            _dry = funds;
            error = funds.IsSpent(_settings.CoverWorstCase ? held.HeldUnits : 1) ? PlatformError.Of(BusinessCode.AccountInArrears) : SlicePlaces.Elsewhere(funds);
            return false;
        }

        if (held.Key is not null && held.Payer.Cap is { } cap && cap.Amount.Currency == held.Wallet.Currency)
        {
            Slice slice = CapSlice(Slices!, held.Payer.KeyId, cap, today);
            if (!slice.TryOverdraw(held.HeldUnits))
            {
                funds.Give(held.HeldUnits);
                _dry = slice;
                error = slice.IsSpent(1) ? CapReached(cap) : SlicePlaces.Elsewhere(slice);
                return false;
            }

            held.Cap = slice;
        }

        held.Funds = funds;
        return true;
    }

    private static Slice CapSlice(SliceTrader trader, string key, in SpendCap cap, in BillingDay today) =>
        SlicePlaces.OfCap(
            trader, key, cap.Amount.Currency.Code, (int)cap.Period, cap.Period switch { CapPeriod.Day => today.Day, CapPeriod.Month => today.Month, _ => 0 }, cap.Amount.Units);

    /// <summary>Gives back what was set aside but for what is to be booked.</summary>
    private static void GiveSlices(LedgerReservation held, long aside, ref Charge charge)
    {
        held.Funds?.Give(aside - charge.Cash - charge.Credit);
        held.Cap?.Give(aside - charge.Cash - charge.Credit - charge.PackValue);
    }

    private static void ReleaseSlices(LedgerReservation held)
    {
        held.Funds?.Give(held.HeldUnits);
        held.Cap?.Give(held.HeldUnits);
    }
}
