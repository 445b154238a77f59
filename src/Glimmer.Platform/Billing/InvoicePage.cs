using System.Globalization;
using System.Net;
using System.Text;
using Glimmer.Platform.Ledger;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Billing;

/// <summary>An invoice as one self-contained, printable HTML page in English or Chinese. Every text is encoded.</summary>
public static class InvoicePage
{
    private const string Style = """
        body{font:14px/1.5 system-ui,"Noto Sans SC",sans-serif;color:#1a1a1a;max-width:820px;margin:40px auto;padding:0 24px}
        h1{font-size:24px;margin:0 0 4px}table{width:100%;border-collapse:collapse;margin:24px 0}th,td{padding:6px 8px;text-align:right;border-bottom:1px solid #ddd}
        th:first-child,td:first-child{text-align:left}tfoot td{font-weight:600;border-bottom:0}.parties{display:flex;gap:48px;margin-top:24px}.parties>div{flex:1}
        h2{font-size:12px;color:#666;margin:0;font-weight:500}.note{color:#666;font-size:12px}address{font-style:normal;white-space:pre-line}@media print{body{margin:0}}
        """;

    /// <summary>Writes the page.</summary>
    public static string Render(Invoice invoice, MessageLanguage language)
    {
        Func<string, string, string> say = language == MessageLanguage.Chinese ? static (_, chinese) => chinese : static (english, _) => english;
        string number = invoice.Number.ToString("000000", CultureInfo.InvariantCulture);
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"<!DOCTYPE html>\n<html lang=\"{say("en", "zh-CN")}\"><head><meta charset=\"utf-8\"><title>{say("Invoice", "账单")} {number}</title><style>{Style}</style></head><body>\n");
        page.Append(CultureInfo.InvariantCulture, $"<h1>{say("Invoice", "账单")} {number}</h1>\n<p>{say("Period", "账期")}: {E(invoice.Period)} · {say("Issued", "开具日期")}: {invoice.Issued:yyyy-MM-dd}</p>\n<div class=\"parties\">");
        Party(page, say("From", "开具方"), invoice.Issuer, say);
        Party(page, say("To", "客户"), invoice.Customer, say);
        page.Append("</div>\n<table><thead><tr>");
        foreach (string head in (string[])
        [
            say("Item", "项目"), say("Requests", "请求数"), say("Input tokens", "输入 Token"), say("of which cached", "其中缓存"), say("Output tokens", "输出 Token"), say("Other units", "其他用量"),
            say("Cash", "现金"), say("Credits", "赠金"), say("Packs", "资源包"),
        ])
        {
            page.Append("<th>").Append(head).Append("</th>");
        }

        page.Append("</tr></thead><tbody>\n");
        foreach (InvoiceLine line in invoice.Lines)
        {
            string item = line.Item switch
            {
                nameof(TransactionKind.PackPurchase) => say("Resource packs", "资源包购买"),
                nameof(TransactionKind.PlanPurchase) => say("Coding plan", "编程套餐"),
                _ => E(line.Item),
            };
            page.Append(CultureInfo.InvariantCulture, $"<tr><td>{item}</td><td>{N(line.Requests)}</td><td>{N(line.InputTokens)}</td><td>{N(line.CachedInputTokens)}</td><td>{N(line.OutputTokens)}</td><td>{N(line.Other)}</td>");
            page.Append(CultureInfo.InvariantCulture, $"<td>{E(line.Cash)}</td><td>{E(line.Credits)}</td><td>{E(line.Packs)}</td></tr>\n");
        }

        page.Append(CultureInfo.InvariantCulture, $"</tbody><tfoot><tr><td colspan=\"6\">{say("Total", "合计")} ({E(invoice.Currency)})</td><td>{E(invoice.Cash)}</td><td>{E(invoice.Credits)}</td><td></td></tr></tfoot></table>\n");
        page.Append(CultureInfo.InvariantCulture, $"<p class=\"note\">{say("Paid from the prepaid balance; nothing is due. Packs were paid when they were bought and are listed at what the used units had cost.", "已从预付余额中支付，无需另行付款。资源包在购买时已付款，此处列出已用部分对应的价值。")}</p>\n</body></html>\n");
        return page.ToString();
    }

    private static void Party(StringBuilder page, string title, InvoiceParty party, Func<string, string, string> say)
    {
        page.Append(CultureInfo.InvariantCulture, $"<div><h2>{title}</h2><strong>{E(party.Name)}</strong><address>{E(party.Address)}</address>");
        if (party.TaxNumber.Length > 0)
            page.Append(CultureInfo.InvariantCulture, $"<span>{say("Tax number", "税号")}: {E(party.TaxNumber)}</span>");
        page.Append("</div>");
    }

    private static string E(string text) => WebUtility.HtmlEncode(text);

    private static string N(long count) => count == 0 ? "–" : count.ToString("N0", CultureInfo.InvariantCulture);
}
