namespace Glimmer.Platform.Accounts.Mail;

/// <summary>The mails of this platform in English and Chinese.</summary>
internal static class MailTexts
{
    public static MailMessage Reset(string to, string language, Uri link, TimeSpan life) => language == "zh"
        ? new(to, "重置您的 Glimmer 密码", $"您好，\n\n有人（可能是您）请求重置此邮箱的密码。请在 {life.TotalMinutes:F0} 分钟内打开以下链接设置新密码：\n\n{link}\n\n如果不是您本人操作，请忽略本邮件，您的密码不会改变。\n")
        : new(to, "Reset your Glimmer password", $"Hello,\n\nsomebody, probably you, asked to reset the password of this address. Open this link within {life.TotalMinutes:F0} minutes to choose another one:\n\n{link}\n\nIf it was not you, ignore this mail; your password stays as it is.\n");

    public static MailMessage Confirm(string to, string language, Uri link, TimeSpan life) => language == "zh"
        ? new(to, "确认您的 Glimmer 邮箱", $"您好，\n\n请在 {life.TotalMinutes:F0} 分钟内打开以下链接确认此邮箱：\n\n{link}\n\n如果您没有注册，请忽略本邮件。\n")
        : new(to, "Confirm your address for Glimmer", $"Hello,\n\nopen this link within {life.TotalMinutes:F0} minutes to confirm this address:\n\n{link}\n\nIf you did not sign up, ignore this mail.\n");

    public static MailMessage Known(string to, string language, Uri link) => language == "zh"
        ? new(to, "您已有 Glimmer 账户", $"您好，\n\n有人（可能是您）尝试用此邮箱注册，但该邮箱已有账户。您可以直接登录，或在此重置密码：\n\n{link}\n")
        : new(to, "You have a Glimmer account already", $"Hello,\n\nsomebody, probably you, tried to sign up with this address, which has an account already. You can log in, or reset the password here:\n\n{link}\n");

    public static MailMessage Invitation(string to, string language, string account, string inviter, Uri link, TimeSpan life) => language == "zh"
        ? new(to, $"邀请您加入 {account}", $"您好，\n\n{inviter} 邀请您加入 Glimmer 账户“{account}”。请在 {life.TotalDays:F0} 天内打开以下链接接受邀请：\n\n{link}\n")
        : new(to, $"You are invited to {account}", $"Hello,\n\n{inviter} invites you to the Glimmer account \"{account}\". Open this link within {life.TotalDays:F0} days to accept:\n\n{link}\n");

    public static MailMessage PasswordChanged(string to, string language) => language == "zh"
        ? new(to, "您的 Glimmer 密码已更改", "您好，\n\n您的密码刚刚被更改，所有会话均已退出。如果不是您本人操作，请立即重置密码。\n")
        : new(to, "Your Glimmer password was changed", "Hello,\n\nyour password was just changed, and all sessions were ended. If it was not you, reset the password at once.\n");
}
