using System.Collections.Frozen;
using Glimmer.Platform.Ledger;

namespace Glimmer.Platform.Catalog;

/// <summary>Limits of the models of one kind, by user tier.</summary>
internal sealed record KindLimits(int[] Concurrency, int[] PerMinute, int[] PerDay);

/// <summary>One step of a price: it counts for requests whose input and output are below its bounds; 0 is no bound.</summary>
internal sealed record PriceStep(string Model, Currency Currency, int InputBelow, int OutputBelow, IReadOnlyList<(UnitKind Kind, decimal Amount)> Amounts)
{
    /// <summary>Largest amount of a price.</summary>
    public const decimal MaxAmount = 1_000_000;

    /// <summary>Names of the kinds in files.</summary>
    public static FrozenDictionary<string, UnitKind> Kinds { get; } = new Dictionary<string, UnitKind>(StringComparer.Ordinal)
    {
        ["input"] = UnitKind.Input,
        ["cached"] = UnitKind.CachedInput,
        ["output"] = UnitKind.Output,
        ["reasoning"] = UnitKind.Reasoning,
        ["image"] = UnitKind.Image,
        ["video"] = UnitKind.Video,
        ["audio"] = UnitKind.AudioTokens,
        ["audio_minute"] = UnitKind.AudioMilliseconds,
        ["character"] = UnitKind.Characters,
        ["page"] = UnitKind.Page,
        ["search"] = UnitKind.Search,
        ["tool"] = UnitKind.Tool,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public bool Fits(int input, int output) => (InputBelow == 0 || input < InputBelow) && (OutputBelow == 0 || output < OutputBelow);

    /// <summary>How many units an amount buys.</summary>
    public static int PerOf(UnitKind kind) => kind switch
    {
        UnitKind.Input or UnitKind.CachedInput or UnitKind.Output or UnitKind.Reasoning or UnitKind.AudioTokens or UnitKind.Characters => 1_000_000,
        UnitKind.AudioMilliseconds => 60_000,
        _ => 1,
    };
}

/// <summary>A price and the requests that it counts for.</summary>
/// <param name="InputBelow">Only with fewer input tokens; 0 for any number.</param>
/// <param name="OutputBelow">Only with fewer output tokens; 0 for any number.</param>
/// <param name="Price">The price.</param>
public sealed record CataloguePrice(int InputBelow, int OutputBelow, Price Price);

/// <summary>The prices of one catalogue, made once: in the currencies they are printed in, and converted into those they are not.</summary>
internal sealed class PriceBook
{
    private readonly FrozenDictionary<(string Model, Currency Currency), (PriceStep Step, Price Price)[]> _steps;
    private readonly HashSet<string> _known;

    public PriceBook(CatalogDraft draft, long version)
    {
        var all = new Dictionary<(string, Currency), List<(PriceStep, Price)>>();
        _known = [.. draft.Prices.Select(step => step.Model)];
        var printed = draft.Prices.Select(step => (step.Model, step.Currency)).ToHashSet();
        foreach (PriceStep step in draft.Prices)
        {
            string? family = draft.Models.GetValueOrDefault(step.Model)?.Family is { Length: > 0 } name ? name : null;
            Add(step.Currency, 1);
            foreach (((Currency from, Currency to), decimal rate) in draft.Exchange)
            {
                if (from == step.Currency && !printed.Contains((step.Model, to)))
                    Add(to, rate);
            }

            void Add(Currency currency, decimal rate)
            {
                Price price;
                try
                {
                    price = new Price(
                        step.Model,
                        version,
                        currency,
                        [.. step.Amounts.Select(amount => new PriceLine(amount.Kind, Money.Of(decimal.Round(amount.Amount * rate, Money.Places), currency), PriceStep.PerOf(amount.Kind)))],
                        family);
                }
                catch (ArgumentException fault)
                {
                    throw new CatalogException($"The price of {step.Model} in {currency} cannot be used: {fault.Message}", fault);
                }

                if (!all.TryGetValue((step.Model, currency), out List<(PriceStep, Price)>? steps))
                    all[(step.Model, currency)] = steps = [];
                steps.Add((step, price));
            }
        }

        _steps = all.ToFrozenDictionary(entry => entry.Key, entry => entry.Value.ToArray());
    }

    public IReadOnlyList<CataloguePrice> Steps(string model, Currency currency) =>
        _steps.TryGetValue((model, currency), out (PriceStep Step, Price Price)[]? steps) ? [.. steps.Select(step => new CataloguePrice(step.Step.InputBelow, step.Step.OutputBelow, step.Price))] : [];

    public bool Knows(string model) => _known.Contains(model);

    public Price? Find(string model, Currency currency, int input, int output)
    {
        if (!_steps.TryGetValue((model, currency), out (PriceStep Step, Price Price)[]? steps))
            return null;
        foreach ((PriceStep step, Price price) in steps)
        {
            if (step.Fits(input, output))
                return price;
        }

        // No step is open at the end: the last one counts for everything above it.
        return steps[^1].Price;
    }
}
