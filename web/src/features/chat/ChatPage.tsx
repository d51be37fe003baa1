import { ActionIcon, Button, Drawer } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconLayoutSidebar, IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from 'react-router'
import type { ConversationDetail } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { useDocumentTitle } from '@/ui/Page'
import { TopBar } from '@/ui/topbar'
import classes from './chat.module.css'
import { ConversationList } from './ConversationList'
import { ConversationMenu } from './ConversationMenu'
import { conversationQuery } from './queries'
import { Thread } from './Thread'
import { ThreadSkeleton } from './ThreadSkeleton'

/** The server names a conversation after its first question; until that is read here, the question itself will do. */
function titleOf(detail: ConversationDetail): string {
  return detail.conversation.title || (detail.messages[0]?.text.trim().split('\n')[0] ?? '').slice(0, 80)
}

export function ChatPage() {
  const { id } = useParams()
  const { t } = useLanguage()
  const [list, setList] = useDisclosure(false)
  const conversation = useQuery({ ...conversationQuery(id ?? ''), enabled: id !== undefined })
  const detail = id === undefined ? undefined : conversation.data
  const title = detail === undefined ? t.chat.newChat : titleOf(detail) || t.chat.untitled
  useDocumentTitle(id === undefined ? t.chat.title : title)

  return (
    <div className={classes.chat}>
      <TopBar>
        <ActionIcon className={classes.listToggle} aria-label={t.chat.openConversations} onClick={setList.open}>
          <IconLayoutSidebar size={18} />
        </ActionIcon>
        <h1 className={classes.title} dir="auto">{title}</h1>
        {detail && <ConversationMenu conversation={detail.conversation} />}
        {id !== undefined && (
          <ActionIcon component={Link} to="/chat" className={classes.newOnPhone} aria-label={t.chat.newChat}>
            <IconPlus size={18} />
          </ActionIcon>
        )}
      </TopBar>
      <aside className={classes.list} aria-label={t.chat.conversations}>
        <ConversationList />
      </aside>
      <Drawer
        opened={list}
        onClose={setList.close}
        size={300}
        withCloseButton={false}
        attributes={{ content: { 'aria-label': t.chat.conversations } }}
        classNames={{ body: classes.drawerBody ?? '' }}
      >
        <ConversationList onNavigate={setList.close} />
      </Drawer>
      {id !== undefined && conversation.isPending ? (
        <ThreadSkeleton />
      ) : id !== undefined && conversation.isError && detail === undefined ? (
        <div className={classes.thread}>
          <div className={classes.column}>
            <ErrorPanel error={conversation.error} onRetry={() => void conversation.refetch()} />
            <Button component={Link} to="/chat" variant="subtle" mt="md">
              {t.chat.newChat}
            </Button>
          </div>
        </div>
      ) : (
        <Thread detail={detail} />
      )}
    </div>
  )
}
