using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Models;
using Glimmer.Models.Loading;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>Loads models from files and runs each in an engine of its own.</summary>
/// <param name="memoryBytes">What all models may need together.</param>
/// <param name="logs">Hears of the engines' faults.</param>
internal sealed class EmbeddedModelLoader(long memoryBytes, ILoggerFactory? logs) : IModelLoader
{
    // Where no size was asked for, one model's cache must leave room for others.
    private const int UsualShareOfCache = 4;

    /// <inheritdoc/>
    public ModelNeed Plan(HostedModel model)
    {
        (MemoryPlan plan, EngineOptions engine, int context) = Measure(model);
        long cache = engine.KvBytesFor(plan.CacheBytesPerToken, plan.StateBytesPerSequence, context);
        return new ModelNeed(checked(plan.WeightBytes + cache + plan.ScratchBytes), $"weights {Show(plan.WeightBytes)}, KV cache {Show(cache)}, activations {Show(plan.ScratchBytes)}");
    }

    /// <inheritdoc/>
    public IHostedBackend Load(HostedModel model)
    {
        (_, EngineOptions engine, _) = Measure(model);
        // Remembered before they are mapped: what changes in between is seen.
        WeightFiles files = WeightFiles.Open(model.Path);
        try
        {
            ModelPackage package = ModelPackage.Load(model.Path, model.Package with { Code = model.Code });
            try
            {
                if (files.Check() != WeightFileState.Unchanged)
                    throw new ModelFileException(model.Path, "changed while it was being loaded.");
                return new HostedEmbeddedBackend(new EmbeddedChatBackend(package, engine, logs?.CreateLogger<InferenceEngine>(), model.Repairs), files);
            }
            catch
            {
                package.Dispose();
                throw;
            }
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    private (MemoryPlan Plan, EngineOptions Engine, int Context) Measure(HostedModel model)
    {
        EngineOptions engine = model.Engine;
        engine.Validate();
        int batch = Math.Max(engine.PrefillTokens, engine.MixedPrefillTokens + engine.MaxBatch * (engine.SpeculativeTokens + 1));
        MemoryPlan plan = ModelLoader.Plan(model.Path, model.Package.Load, contextTokens: 1, engine.MaxBatch, batch);
        int context = plan.LargestContext(long.MaxValue);
        if (engine.ContextLength > 0)
            context = Math.Min(context, engine.ContextLength);
        plan = ModelLoader.Plan(model.Path, model.Package.Load, Math.Max(1, context), engine.MaxBatch, batch);
        if (engine is { Pages: 0, KvBytes: 0 })
            engine = engine with { KvBytes = Math.Max(1, Math.Min(memoryBytes / UsualShareOfCache, engine.KvBytesFor(plan.CacheBytesPerToken, 0, context))) };
        return (plan, engine, context);
    }

    private static string Show(long bytes) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.0} MiB");
}
