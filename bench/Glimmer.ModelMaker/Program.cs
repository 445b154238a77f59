// Writes a GGUF file of random weights with the shape of a GLM model, to measure with.
//   dotnet run -c Release --project bench/Glimmer.ModelMaker -- SHAPE TYPE OUT.gguf [--layers N] [--seed N]
using System.Diagnostics;
using System.Globalization;
using Glimmer.ModelMaker;

string shapes = string.Join(" | ", ModelShape.All.Select(shape => shape.Name));
int layers = 0, seed = 1234;
List<string> words = [];
for (int i = 0; i < args.Length; i++)
{
    if (args[i] is not ("--layers" or "--seed"))
        words.Add(args[i]);
    else if (++i < args.Length && int.TryParse(args[i], NumberStyles.None, CultureInfo.InvariantCulture, out int number) && (args[i - 1] == "--seed" || number is > 0 and <= 1000))
        (layers, seed) = args[i - 1] == "--layers" ? (number, seed) : (layers, number);
    else
        return Usage($"{args[i - 1]} needs a number{(args[i - 1] == "--layers" ? " from 1 to 1000" : "")}");
}

if (words.Count != 3)
    return Usage($"{words.Count} words instead of three");
if (ModelShape.All.FirstOrDefault(shape => shape.Name == words[0]) is not { } chosen)
    return Usage($"'{words[0]}' is not a shape");
if (!ModelFile.Types.Contains(words[1], StringComparer.OrdinalIgnoreCase))
    return Usage($"'{words[1]}' is not a type");
long begin = Stopwatch.GetTimestamp();
using (FileStream output = new(words[2], FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
    ModelFile.Write(layers > 0 ? chosen with { Layers = layers } : chosen, words[1], seed, output);
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{words[2]}: {new FileInfo(words[2]).Length / (double)(1 << 30):0.00} GiB in {Stopwatch.GetElapsedTime(begin).TotalSeconds:0.0} s"));
return 0;

int Usage(string fault)
{
    Console.Error.WriteLine($"{fault}.\nusage: Glimmer.ModelMaker SHAPE TYPE OUT.gguf [--layers N] [--seed N]\n  SHAPE: {shapes}\n  TYPE:  {string.Join(" | ", ModelFile.Types)}");
    return 64;
}
